/** The ten enriched tables once more, as plain SQL over silver; and silver made up from a seed. Shares no code with the transforms. */

/** Macros that the statements below use. */
export const ORACLE_MACROS = [
  // a / b to six digits, half away from zero, in whole numbers.
  `CREATE MACRO r6(a, b) AS CASE WHEN a IS NULL OR b IS NULL OR b = 0 THEN NULL ELSE
     CAST((CASE WHEN (a < 0) <> (b < 0) THEN -1 ELSE 1 END)
       * ((2 * abs(a::HUGEINT) * 1000000 + abs(b::HUGEINT)) // (2 * abs(b::HUGEINT))) AS DECIMAL(30,0))
     * CAST('0.000001' AS DECIMAL(7,6)) END`,
  'CREATE MACRO cents(amount) AS CAST(amount * 100 AS HUGEINT)',
  'CREATE MACRO cap(rate) AS CASE WHEN rate < 0 THEN 0 WHEN rate > 1 THEN 1 ELSE rate END',
  // seed-dependent whole number below n
  "CREATE MACRO rnd(seed, i, salt, n) AS CAST(hash(concat(seed, ':', i, ':', salt)) % n AS BIGINT)",
];

const SPAN_DAYS = 75;

/**
 * Silver by table: about 90 days up to 2025-10-31, with gaps, ties, empty and shared carts, lines without their order, nulls
 * in every optional column, and amounts that do not divide evenly.
 */
export function generatedSilver(seed: number): { readonly [table: string]: string } {
  const r = (salt: string, n: number) => `rnd(${seed}, i, '${salt}', ${n})`;
  const instant = (salt: string) =>
    `TIMESTAMPTZ '2025-08-18 00:00:00+00' + to_days(CAST(${r(`${salt}d`, SPAN_DAYS)} AS INTEGER)) + to_microseconds(${r(`${salt}u`, 86_400_000_000)})`;
  const orNull = (expression: string, salt: string, oneIn: number) =>
    `CASE WHEN ${r(salt, oneIn)} = 0 THEN NULL ELSE ${expression} END`;
  const amount = (salt: string, below: number) => `CAST(${r(salt, below)} AS DECIMAL(18,2)) / 100`;
  const address = (salt: string) =>
    `CASE ${r(salt, 6)} WHEN 0 THEN NULL WHEN 1 THEN '7 Rue Cler, Paris' WHEN 2 THEN 'Unit 5, APO AE 09123-4567'
       ELSE concat('12 Elm St, Town, ', chr(CAST(65 + ${r(`${salt}a`, 26)} AS INTEGER)), 'X ', 10000 + ${r(`${salt}z`, 89999)}) END`;
  const customer = "concat('c', rnd(%s, %i, 'cust', 30))".replace('%s', String(seed));
  return {
    customers: `SELECT concat('c', i) AS customer_id, concat('n', i) AS first_name, concat('c', i, '@x.org') AS email,
        ${orNull(`['bronze', 'silver', 'gold'][1 + ${r('tier', 3)}]`, 'tn', 9)} AS loyalty_tier,
        ${orNull(`['web', 'phone', 'ebay'][1 + ${r('chan', 3)}]`, 'cn', 4)} AS signup_channel,
        ['low', 'medium', 'high'][1 + ${r('clv', 3)}] AS clv_bucket
      FROM range(26) t(i)`,
    product_catalog: `SELECT i AS product_id, concat('p', i) AS product_name, ['Books', 'Toys'][1 + i % 2] AS category,
        CAST(${amount('price', 9000)} AS DECIMAL(18,2)) AS unit_price, CAST(${orNull(amount('cost', 5000), 'costn', 5)} AS DECIMAL(18,2)) AS cost_price,
        ${orNull(r('stock', 120), 'stockn', 6)} AS inventory_quantity
      FROM range(1, 13) t(i)`,
    shopping_carts: `SELECT concat('k', i) AS cart_id, ${customer.replace('%i', 'i')} AS customer_id,
        date_trunc('hour', ${instant('cart')}) AS created_at, NULL::TIMESTAMPTZ AS updated_at,
        CAST(${orNull(amount('total', 20000), 'totaln', 4)} AS DECIMAL(18,2)) AS cart_total,
        ${orNull(`['abandoned', 'converted', 'emptied'][1 + ${r('status', 3)}]`, 'statusn', 7)} AS status
      FROM range(260) t(i)`,
    // Most orders follow a cart: at its instant, within the tolerance, on its very edge, or just behind.
    orders: `SELECT concat('o', i) AS order_id, c.customer_id, c.order_date,
        ${orNull(`['web', 'phone', 'ebay', 'newegg'][1 + ${r('ochan', 4)}]`, 'ochann', 8)} AS order_channel,
        CAST(${amount('gross', 30000)} AS DECIMAL(18,2)) AS gross_total, CAST(${amount('net', 25000)} AS DECIMAL(18,2)) AS net_total,
        ${orNull(`['standard', 'two-day', 'overnight'][1 + ${r('speed', 3)}]`, 'speedn', 9)} AS shipping_speed,
        CAST(${orNull(`CASE ${r('free', 5)} WHEN 0 THEN 0 ELSE ${amount('ship', 9000)} END`, 'shipn', 9)} AS DECIMAL(18,2)) AS shipping_cost,
        CAST(${orNull(amount('real', 8000), 'realn', 9)} AS DECIMAL(18,2)) AS actual_shipping_cost,
        ${address('ship_to')} AS shipping_address, ${address('bill_to')} AS billing_address
      FROM range(220) t(i) JOIN LATERAL (
        SELECT customer_id, created_at + CASE rnd(${seed}, i, 'lag', 6)
            WHEN 0 THEN INTERVAL 0 HOUR WHEN 1 THEN INTERVAL 48 HOUR WHEN 2 THEN INTERVAL '172800000001 microseconds'
            ELSE to_minutes(rnd(${seed}, i, 'lagm', 3200)) END AS order_date
        FROM shopping_carts WHERE cart_id = concat('k', rnd(${seed}, i, 'from', 260))) c ON true`,
    order_items: `SELECT concat('o', ${r('line', 232)}) AS order_id, CAST(1 + ${r('prod', 14)} AS BIGINT) AS product_id, 1 + ${r('qty', 5)} AS quantity,
        CAST(${amount('lprice', 9000)} AS DECIMAL(18,2)) AS unit_price, CAST(${orNull(amount('lcost', 6000), 'lcostn', 3)} AS DECIMAL(18,2)) AS cost_price,
        CAST(${instant('line')} AS DATE) AS ingestion_dt
      FROM range(600) t(i)`,
    returns: `SELECT concat('r', i) AS return_id, concat('o', ${r('ret', 220)}) AS order_id, ${customer.replace('%i', 'i')} AS customer_id,
        date_trunc('day', ${instant('ret')}) AS return_date, CAST(${orNull(amount('refund', 9000), 'refundn', 6)} AS DECIMAL(18,2)) AS refunded_amount
      FROM range(60) t(i)`,
    return_items: `SELECT concat('r', ${r('ritem', 66)}) AS return_id, concat('o', ${r('rord', 240)}) AS order_id,
        CAST(1 + ${r('rprod', 14)} AS BIGINT) AS product_id, 1 + ${r('rqty', 3)} AS quantity_returned,
        CAST(${orNull(amount('rref', 4000), 'rrefn', 5)} AS DECIMAL(18,2)) AS refunded_amount, CAST(${instant('ritem')} AS DATE) AS ingestion_dt
      FROM range(140) t(i)`,
    cart_items: `SELECT concat('k', ${r('citem', 270)}) AS cart_id, CAST(1 + ${r('cprod', 14)} AS BIGINT) AS product_id, 1 + ${r('cqty', 4)} AS quantity,
        CAST(${amount('cprice', 7000)} AS DECIMAL(18,2)) AS unit_price, ${orNull(`['books', 'toys', 'home'][1 + ${r('ccat', 3)}]`, 'ccatn', 8)} AS category,
        ${orNull(instant('citem'), 'citemn', 10)} AS added_at, CAST(${instant('citemi')} AS DATE) AS ingestion_dt
      FROM range(500) t(i)`,
  };
}

const MATCHES = `candidates AS (
    SELECT o.order_id, o.order_date, c.cart_id,
      row_number() OVER (PARTITION BY o.order_id ORDER BY c.created_at DESC, c.cart_id DESC) AS place
    FROM orders o JOIN shopping_carts c
      ON c.customer_id = o.customer_id AND c.created_at <= o.order_date AND c.created_at >= o.order_date - INTERVAL 48 HOUR),
  matches AS (
    SELECT order_id, cart_id FROM candidates WHERE place = 1
    QUALIFY row_number() OVER (PARTITION BY cart_id ORDER BY order_date, order_id) = 1)`;

const ORDER_DAYS = `order_days AS (SELECT order_id, CAST(order_date AS DATE) AS day FROM orders),
  return_days AS (SELECT return_id, CAST(return_date AS DATE) AS day FROM returns)`;

const SOLD = `sold AS (SELECT i.*, coalesce(o.day, i.ingestion_dt) AS day FROM order_items i LEFT JOIN order_days o USING (order_id))`;

/** Columns that are compared, by table; every statement names them alike. `$run` is the run date. */
export const ORACLE: { readonly [table: string]: string } = {
  int_attributed_purchases: `WITH ${MATCHES}
    SELECT o.order_id, o.customer_id, o.order_date, o.gross_total, o.net_total, o.order_channel, m.cart_id,
      c.created_at AS cart_created_at, c.cart_total, c.status AS cart_status,
      m.cart_id IS NOT NULL AND (coalesce(c.status, '') = 'abandoned' OR o.order_date - c.created_at >= INTERVAL 1 HOUR) AS is_recovered,
      CAST(o.order_date AS DATE) AS order_dt
    FROM orders o LEFT JOIN matches m USING (order_id) LEFT JOIN shopping_carts c ON c.cart_id = m.cart_id`,

  int_cart_attribution: `WITH ${MATCHES},
    lines AS (SELECT cart_id, count(*) AS n, count(DISTINCT category) AS categories, sum(quantity * unit_price) AS amount FROM cart_items GROUP BY 1),
    joined AS (
      SELECT c.*, m.order_id, o.order_date, o.order_channel, l.n, l.categories,
        CAST(coalesce(c.cart_total, l.amount, 0) AS DECIMAL(18,2)) AS cart_value,
        (SELECT e.order_channel FROM orders e WHERE e.customer_id = c.customer_id AND e.order_date < c.created_at
         ORDER BY e.order_date DESC, e.order_id DESC LIMIT 1) AS earlier, s.signup_channel
      FROM shopping_carts c LEFT JOIN matches m USING (cart_id) LEFT JOIN orders o ON o.order_id = m.order_id
        LEFT JOIN lines l ON l.cart_id = c.cart_id LEFT JOIN customers s ON s.customer_id = c.customer_id)
    SELECT cart_id, customer_id, created_at, cart_value, coalesce(n, 0) AS item_count, coalesce(categories, 0) AS category_count,
      CASE WHEN order_id IS NOT NULL THEN 'converted' WHEN cart_value > 0 THEN 'abandoned' ELSE 'empty' END AS cart_status,
      CAST(floor(epoch_us(order_date - created_at) / 3600000000) AS BIGINT) AS time_to_purchase_hours, order_id, order_date, order_channel,
      coalesce(order_channel, earlier, signup_channel, 'unknown') AS cart_channel,
      CASE WHEN order_id IS NULL AND cart_value > 0 THEN cart_value END AS abandoned_value, CAST(created_at AS DATE) AS cart_dt
    FROM joined`,

  int_inventory_risk: `WITH ${ORDER_DAYS}, ${SOLD},
    s AS (SELECT product_id, sum(quantity) AS sales FROM sold WHERE day <= $run GROUP BY 1),
    b AS (SELECT product_id, sum(quantity_returned) AS back FROM return_items i LEFT JOIN return_days r USING (return_id)
          WHERE coalesce(r.day, i.ingestion_dt) <= $run GROUP BY 1),
    f AS (SELECT p.product_id, p.product_name, p.category, p.unit_price, CAST(coalesce(p.cost_price, 0) AS DECIMAL(18,2)) AS cost_price,
            CAST(coalesce(inventory_quantity, 0) AS HUGEINT) AS stock, CAST(coalesce(sales, 0) AS HUGEINT) AS sales, CAST(coalesce(back, 0) AS HUGEINT) AS back
          FROM product_catalog p LEFT JOIN s USING (product_id) LEFT JOIN b USING (product_id)),
    g AS (SELECT *, CASE WHEN stock > 0 THEN stock ELSE 1 END AS d1, CASE WHEN sales > 0 THEN sales ELSE 1 END AS d2,
            CASE WHEN stock > 0 THEN sales ELSE 0 END AS n1, CASE WHEN sales > 0 THEN back ELSE 0 END AS n2 FROM f),
    h AS (SELECT *, CASE WHEN n1 * d2 + n2 * d1 >= d1 * d2 THEN CAST(1 AS DECIMAL(18,6)) ELSE r6(n1 * d2 + n2 * d1, d1 * d2) END AS score FROM g)
    SELECT product_id, product_name, category, unit_price, cost_price, stock AS inventory_quantity, sales AS sales_volume, back AS return_volume,
      r6(n1, d1) AS utilization_ratio, r6(n2, d2) AS return_signal, cost_price * stock AS locked_capital, score AS attention_score,
      CASE WHEN score >= 0.8 THEN 'HIGH' WHEN score >= 0.5 THEN 'MODERATE' ELSE 'HEALTHY' END AS risk_tier
    FROM h`,

  int_customer_retention_signals: `WITH p AS (
      SELECT customer_id, min(order_date) AS first_buy, max(order_date) AS last_buy, count(*) AS n,
        date_diff('day', CAST(min(order_date) AS DATE), $run) AS since_first, date_diff('day', CAST(max(order_date) AS DATE), $run) AS since_last
      FROM orders WHERE CAST(order_date AS DATE) <= $run GROUP BY 1)
    SELECT c.customer_id, c.first_name, c.email, c.loyalty_tier, c.signup_channel, first_buy AS first_purchase_date, last_buy AS last_purchase_date,
      coalesce(n, 0) AS total_orders, since_first AS days_since_first_buy, since_last AS days_since_last_buy,
      coalesce(since_first BETWEEN 30 AND 90 AND n = 1, false) AS is_in_danger_zone,
      coalesce(c.loyalty_tier = 'bronze' AND since_last > 14, false) AS needs_bronze_nudge
    FROM customers c LEFT JOIN p USING (customer_id)`,

  int_customer_lifetime_value: `WITH o AS (
      SELECT customer_id, sum(net_total) AS spent, count(*) AS n, min(order_date) AS first_o, max(order_date) AS last_o,
        date_diff('day', CAST(max(order_date) AS DATE), $run) AS since FROM orders WHERE CAST(order_date AS DATE) <= $run GROUP BY 1),
    b AS (SELECT customer_id, sum(refunded_amount) AS refunded, count(*) AS n FROM returns WHERE CAST(return_date AS DATE) <= $run GROUP BY 1),
    f AS (SELECT c.customer_id, c.clv_bucket, coalesce(spent, 0) AS spent, coalesce(refunded, 0) AS refunded, coalesce(spent, 0) - coalesce(refunded, 0) AS net,
        coalesce(o.n, 0) AS n, coalesce(b.n, 0) AS back, first_o, last_o, since FROM customers c LEFT JOIN o USING (customer_id) LEFT JOIN b USING (customer_id))
    SELECT customer_id, spent AS total_spent, refunded AS total_refunded, net AS net_clv, n AS order_count, back AS return_count,
      coalesce(r6(cents(spent), n * 100), 0) AS avg_order_value, first_o AS first_order_date, last_o AS last_order_date, since AS days_since_last_order,
      CASE WHEN since >= 90 AND n > 0 THEN 'churned' WHEN n <= 1 THEN 'one-timer' WHEN net >= 500 OR n >= 5 THEN 'whale' ELSE 'regular' END AS customer_segment,
      clv_bucket AS predicted_clv_bucket,
      CASE WHEN net >= 500 THEN 'high_value' WHEN net >= 200 THEN 'medium_value' ELSE 'low_value' END AS actual_clv_bucket
    FROM f`,

  int_daily_business_metrics: `WITH o AS (SELECT CAST(order_date AS DATE) AS date, count(*) AS n, sum(gross_total) AS gross, sum(net_total) AS net FROM orders GROUP BY 1),
    c AS (SELECT CAST(created_at AS DATE) AS date, count(*) AS n FROM shopping_carts GROUP BY 1),
    b AS (SELECT CAST(return_date AS DATE) AS date, count(*) AS n, sum(refunded_amount) AS refund FROM returns GROUP BY 1),
    d AS (SELECT date, coalesce(o.n, 0) AS orders_count, coalesce(gross, 0) AS gross_revenue, coalesce(net, 0) AS net_revenue,
        coalesce(c.n, 0) AS carts_created, coalesce(b.n, 0) AS returns_count, coalesce(refund, 0) AS refund_total
      FROM o FULL JOIN c USING (date) FULL JOIN b USING (date)),
    w AS (SELECT *, sum(orders_count) OVER week AS o7, sum(net_revenue) OVER week AS n7, count(*) OVER week AS d7,
        sum(net_revenue) OVER month AS n30, count(*) OVER month AS d30,
        avg(CAST(net_revenue * 100 AS DOUBLE)) OVER month AS mean30, stddev_samp(CAST(net_revenue * 100 AS DOUBLE)) OVER month AS sd30
      FROM d WINDOW week AS (ORDER BY date RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW),
        month AS (ORDER BY date RANGE BETWEEN INTERVAL 29 DAYS PRECEDING AND CURRENT ROW))
    SELECT date, orders_count, gross_revenue, net_revenue, coalesce(r6(cents(net_revenue), orders_count * 100), 0) AS avg_order_value, carts_created,
      coalesce(cap(r6(orders_count, carts_created)), 0) AS cart_conversion_rate, returns_count,
      coalesce(cap(r6(returns_count, orders_count)), 0) AS return_rate, refund_total,
      r6(o7, d7) AS orders_7d_avg, r6(cents(n7), d7 * 100) AS revenue_7d_avg, r6(cents(n30), d30 * 100) AS revenue_30d_avg,
      CAST(round(sd30 / 100, 6) AS DECIMAL(18,6)) AS revenue_30d_std,
      CASE WHEN net_revenue * 100 > mean30 + 2 * sd30 THEN 'HIGH' WHEN net_revenue * 100 < mean30 - 2 * sd30 THEN 'LOW' ELSE 'NORMAL' END AS revenue_anomaly_flag
    FROM w`,

  int_product_performance: `WITH ${ORDER_DAYS}, ${SOLD},
    s AS (SELECT product_id, day, sum(s.quantity) AS sold, sum(s.unit_price * s.quantity) AS gross,
            sum((s.unit_price - coalesce(s.cost_price, p.cost_price)) * s.quantity) AS margin
          FROM sold s LEFT JOIN product_catalog p USING (product_id) GROUP BY 1, 2),
    b AS (SELECT product_id, coalesce(o.day, r.day, i.ingestion_dt) AS day, sum(quantity_returned) AS back, sum(refunded_amount) AS refund
          FROM return_items i LEFT JOIN order_days o USING (order_id) LEFT JOIN return_days r USING (return_id) GROUP BY 1, 2),
    c AS (SELECT product_id, coalesce(CAST(added_at AS DATE), ingestion_dt) AS day, sum(quantity) AS carted FROM cart_items GROUP BY 1, 2),
    f AS (SELECT product_id, day, coalesce(sold, 0) AS sold, coalesce(back, 0) AS back, coalesce(carted, 0) AS carted, coalesce(gross, 0) AS gross,
            coalesce(margin, 0) AS margin, coalesce(refund, 0) AS refund FROM s FULL JOIN b USING (product_id, day) FULL JOIN c USING (product_id, day))
    SELECT f.product_id, p.product_name, p.category, day AS product_dt, sold AS units_sold, back AS units_returned, carted AS units_in_carts,
      gross AS gross_revenue, gross - refund AS net_revenue, margin AS gross_margin, margin AS gross_profit, margin - refund AS net_margin, refund AS refunded_amount,
      CASE WHEN sold > 0 THEN cap(r6(back, sold)) END AS return_rate, cap(r6(sold, greatest(sold, carted))) AS cart_to_order_rate,
      CASE WHEN gross > 0 THEN r6(cents(margin - refund), cents(gross)) END AS margin_pct,
      p.unit_price AS catalog_unit_price, p.cost_price AS catalog_cost_price, p.inventory_quantity
    FROM f LEFT JOIN product_catalog p USING (product_id)`,

  int_sales_velocity: `WITH ${ORDER_DAYS}, ${SOLD},
    d AS (SELECT product_id, day, sum(quantity) AS q FROM sold GROUP BY 1, 2),
    w AS (SELECT *, sum(q) OVER win AS s, count(*) OVER win AS n FROM d
          WINDOW win AS (PARTITION BY product_id ORDER BY day RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW))
    SELECT product_id, day AS order_dt, q AS daily_quantity, r6(s, n) AS velocity_avg,
      CASE WHEN q * n * 10 > s * 12 THEN 'UP' WHEN q * n * 10 < s * 8 THEN 'DOWN' ELSE 'STABLE' END AS trend_signal
    FROM w`,

  int_regional_financials: `SELECT order_id, customer_id, order_date, gross_total, net_total, shipping_address,
      coalesce('US-' || nullif(regexp_extract(shipping_address, '\\b([A-Z]{2})\\s+\\d{5}\\b', 1), ''),
               'US-' || nullif(regexp_extract(billing_address, '\\b([A-Z]{2})\\s+\\d{5}\\b', 1), ''), 'UNKNOWN') AS region,
      0 AS tax_rate, 0 AS tax_amount, gross_total AS net_revenue, CAST(order_date AS DATE) AS order_dt
    FROM orders`,

  int_shipping_economics: `SELECT order_id, CAST(order_date AS DATE) AS order_dt, shipping_speed, shipping_cost, actual_shipping_cost,
      shipping_cost - actual_shipping_cost AS shipping_margin,
      CASE WHEN shipping_cost > 0 THEN r6(cents(shipping_cost - actual_shipping_cost), cents(shipping_cost)) END AS shipping_margin_pct,
      coalesce(shipping_speed IN ('two-day', 'overnight'), false) AS is_expedited, order_channel
    FROM orders`,
};

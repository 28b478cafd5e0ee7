/** Size and seed of a demo -> the SQL that makes a clean shop of it: customers, products, carts, orders and returns. Pure. */
import { addDays } from '../core/partition.ts';
import { literal, literalList } from '../engine/sql-text.ts';
import {
  ADJECTIVES,
  BLANKS,
  CATEGORIES,
  CHANNELS,
  CITIES,
  FIRST_NAMES,
  GENDERS,
  GUEST_TIERS,
  LAST_NAMES,
  MARKETPLACE_FEE,
  METHODS,
  PAYMENT_FEES,
  RETURN_REASONS,
  SHIPPING_COSTS,
  SHIPPING_PRICES,
  type Shares,
  SIGNUP_CHANNELS,
  SPEEDS,
  STATES,
  STATUSES,
  STREETS,
  TIERS,
} from './shop-words.ts';

export interface ShopSize {
  readonly firstDay: string;
  readonly days: number;
  readonly ordersPerDay: number;
  readonly seed: number;
}

const PRODUCTS = 1_286;
const MAX_LINES = 8;
/** Signup days before the first day, one a week and a bit, a year back: few partitions, but a history. */
const EARLIER_SIGNUP_DAYS = 46;
const SIGNUP_STEP_DAYS = 8;
const SECOND_US = 1_000_000;
const DAY_US = 86_400 * SECOND_US;

/**
 * Statements that leave one table `clean_<name>` a bronze table, with the bronze columns and
 * `__day` (index of the ingest day), `__at` (event time, microseconds since the first day), `__no` (unique, fixed by the seed),
 * `__again` (false: first delivery), `__late`.
 *
 * Money is counted in cents, so sums hold exactly. All chance is a hash of a stream's name, a number and the seed: no clock, no
 * locale, no order of execution. The number is that of the product `p`, customer `c`, basket `b`, line or return it is drawn for.
 */
export function shopStatements(size: ShopSize): readonly string[] {
  return [
    ...macros(size),
    `CREATE TABLE calendar AS
     SELECT d, greatest(1, round(${size.ordersPerDay} * (0.85 + 0.3 * unit('day', d))))::BIGINT AS orders
     FROM range(${size.days}) t(d)`,
    products(),
    ...customers(size),
    ...baskets(size),
    basketLines(),
    ...carts(),
    ...orders(),
    ...returns(size),
  ];
}

/** How many customers a demo of this size has: the same number for each signup day. */
function customerCount(size: ShopSize): number {
  const signupDays = EARLIER_SIGNUP_DAYS + size.days;
  return signupDays * Math.max(8, Math.round((size.ordersPerDay * size.days) / 2 / signupDays));
}

function macros({ firstDay, seed }: ShopSize): readonly string[] {
  return [
    `CREATE MACRO pick(stream, id, n) AS (hash(stream, id, ${seed}::BIGINT) % n::UBIGINT)::BIGINT`,
    `CREATE MACRO unit(stream, id) AS (hash(stream, id, ${seed}::BIGINT) >> 11)::DOUBLE / 9007199254740992`,
    'CREATE MACRO choose(choices, stream, id) AS choices[pick(stream, id, len(choices)) + 1]',
    `CREATE MACRO instant(us) AS make_timestamp(epoch_us(TIMESTAMP ${literal(`${firstDay} 00:00:00`)}) + us)`,
    `CREATE MACRO on_day(d) AS strftime(DATE ${literal(firstDay)} + d::INTEGER, '%Y-%m-%d')`,
    "CREATE MACRO iso(us) AS strftime(instant(us), '%Y-%m-%dT%H:%M:%S.%f')",
    'CREATE MACRO money(cents) AS (cents)::DOUBLE / 100',
    // Padding and shouting as the real feed has them; keys are never touched.
    `CREATE MACRO messy(value, stream, id) AS CASE pick(stream, id, 100)
       WHEN 0 THEN '  ' || value || '  ' WHEN 1 THEN ' ' || value WHEN 2 THEN value || ' ' WHEN 3 THEN ' ' || value || ' '
       WHEN 4 THEN upper(value) WHEN 5 THEN lower(value) ELSE value END`,
    `CREATE MACRO blank(stream, id) AS choose([NULL, ${BLANKS.map(literal).join(', ')}], stream, id)`,
    "CREATE MACRO agent(stream, id) AS 'CSR-' || lpad((1 + pick(stream, id, 20))::VARCHAR, 4, '0')",
    `CREATE MACRO address(stream, id) AS
       CASE WHEN pick(stream || ' kind', id, 50) = 0
       THEN 'PO Box ' || pick(stream, id, 9000) || ', ' || choose(${literalList(CITIES)}, stream || ' city', id)
       ELSE (100 + pick(stream, id, 89900)) || ' ' || choose(${literalList(STREETS)}, stream || ' street', id)
         || ', ' || choose(${literalList(CITIES)}, stream || ' city', id)
         || ', ' || choose(${literalList(STATES)}, stream || ' state', id) || ' ' || (10000 + pick(stream || ' zip', id, 89999)) END`,
  ];
}

/** SQL for one of the values, drawn by its share of a hundred. */
function drawn(shares: Shares, stream: string, id: string): string {
  let upTo = 0;
  const branches = Object.entries(shares).map(([value, share]) => {
    upTo += share;
    return `WHEN pick(${literal(stream)}, ${id}, 100) < ${upTo} THEN ${literal(value)}`;
  });
  return `CASE ${branches.join(' ')} END`;
}

/** SQL for the number that belongs to a value. */
function numberFor(numbers: { readonly [value: string]: number }, column: string): string {
  return `CASE ${column} ${Object.entries(numbers)
    .map(([value, number]) => `WHEN ${literal(value)} THEN ${number}`)
    .join(' ')} END`;
}

/** SQL for the columns that tell where a row comes; see `shopStatements`. */
const marks = (day: string, at: string, no: string, late = 'false'): string =>
  `${day} AS __day, ${at} AS __at, ${no} AS __no, false AS __again, ${late} AS __late`;

const CART_ID = "'CART-' || (10000000 + b)";
const ORDER_ID = "'ORD-' || (10000000 + b)";
const RETURN_ID = "'RTN-' || (10000000 + b * 2 + parcel - 1)";
/** The number of a return: an order has two at most. */
const RETURN_NO = '(b * 2 + parcel)';

function products(): string {
  const nouns = `([${Object.values(CATEGORIES).map(literalList).join(', ')}])[p % 5 + 1]`;
  return `
CREATE TABLE clean_product_catalog AS
SELECT p AS product_id,
  messy(choose(${literalList(ADJECTIVES)}, 'adjective', p) || ' ' || choose(${nouns}, 'noun', p), 'name mess', p) AS product_name,
  (${literalList(Object.keys(CATEGORIES))})[p % 5 + 1] AS category,
  money(price) AS unit_price, money(price * (40 + pick('cost', p, 31)) // 100) AS cost_price,
  100 + pick('stock', p, 151) AS inventory_quantity,
  ${marks('0', '0::BIGINT', 'p')}
FROM (SELECT p, 500 + pick('price', p, 24501) AS price FROM range(1, ${PRODUCTS + 1}) t(p))`;
}

function customers(size: ShopSize): readonly string[] {
  const signupDays = EARLIER_SIGNUP_DAYS + size.days;
  const count = customerCount(size);
  const firstDay = `DATE ${literal(size.firstDay)}`;
  const earliest = `DATE ${literal(addDays(size.firstDay, -EARLIER_SIGNUP_DAYS * SIGNUP_STEP_DAYS))}`;
  return [
    `CREATE TABLE signups AS
     SELECT c, slot,
       CASE WHEN slot < ${EARLIER_SIGNUP_DAYS} THEN ${earliest} + (slot * ${SIGNUP_STEP_DAYS})::INTEGER
       ELSE ${firstDay} + (slot - ${EARLIER_SIGNUP_DAYS})::INTEGER END AS signup,
       ${drawn(TIERS, 'tier', 'c')} AS tier,
       choose(${literalList(FIRST_NAMES)}, 'first name', c) AS first_name, choose(${literalList(LAST_NAMES)}, 'last name', c) AS last_name
     FROM (SELECT c, (c - 1) * ${signupDays} // ${count} AS slot FROM range(1, ${count + 1}) t(c))`,
    // Customers 1..known had signed up before the day began.
    `CREATE TABLE known_customers AS
     SELECT d, (SELECT count(*) FROM signups WHERE slot < ${EARLIER_SIGNUP_DAYS} + d) AS known FROM calendar`,
    `CREATE TABLE clean_customers AS
     SELECT 'CUST-' || c AS customer_id, first_name, last_name,
       lower(first_name || '.' || last_name) || c || '@' || choose(['example.com', 'example.org', 'example.net'], 'host', c) AS email,
       '+1-555-' || (100 + pick('phone', c, 900)) || '-' || (1000 + pick('phone end', c, 9000)) AS phone_number,
       strftime(signup, '%Y-%m-%d') AS signup_date,
       ${drawn(GENDERS, 'gender', 'c')} AS gender, (18 + pick('age', c, 53))::DOUBLE AS age, false AS is_guest,
       messy(${drawn(STATUSES, 'status', 'c')}, 'status mess', c) AS customer_status,
       ${drawn(SIGNUP_CHANNELS, 'signup channel', 'c')} AS signup_channel,
       tier AS loyalty_tier,
       CASE WHEN pick('no tier', c, 10) = 0 THEN blank('no tier as', c)
            ELSE choose(${literalList(Object.keys(TIERS))}, 'first tier', c) END AS initial_loyalty_tier,
       CASE WHEN pick('unverified', c, 22) > 0 THEN pick('verified', c, 5) > 0 END AS email_verified,
       CASE WHEN pick('no opt', c, 25) > 0 THEN pick('opt in', c, 2) = 0 END AS marketing_opt_in,
       address('address', c) AS mailing_address, address('address', c) AS billing_address,
       CASE WHEN pick('not enrolled', c, 10) > 0
            THEN strftime(signup + pick('enrolled', c, 60)::INTEGER, '%Y-%m-%d') END AS loyalty_enrollment_date,
       CASE tier WHEN 'Bronze' THEN 'Low' WHEN 'Silver' THEN 'Medium' ELSE 'High' END AS clv_bucket,
       ${marks('0', `(signup - ${firstDay}) * ${DAY_US}`, 'c')}
     FROM signups`,
  ];
}

/**
 * A basket is what one visit leaves behind: a cart, an order, or both.
 * converted: the cart became an order within hours; recovered: it was given up and bought a day or so later;
 * direct: an order without cart, some of them delivered days late; abandoned and emptied: a cart without order, the latter
 * without items. Customers who signed up long ago come more often; two of five visitors are guests, each seen once.
 */
function baskets({ days }: ShopSize): readonly string[] {
  return [
    `CREATE TABLE baskets AS
     WITH sizes AS (SELECT d, orders, orders * 12 // 10 AS given_up, (orders * 4 + 9) // 10 AS emptied FROM calendar),
     placed AS (
       SELECT *, orders + given_up + emptied AS visits, (sum(visits) OVER (ORDER BY d) - visits)::BIGINT AS first
       FROM sizes),
     visits AS (
       SELECT d, first + k AS b,
         CASE WHEN k >= orders + given_up THEN 'emptied' WHEN k >= orders THEN 'abandoned'
              ELSE ${drawn({ direct: 10, recovered: 6, converted: 84 }, 'kind', 'b')} END AS kind
       FROM placed, unnest(range(visits)) t(k)),
     -- The visit's own moment: of the order where there is one, else of the cart.
     moments AS (
       SELECT b, kind, d * ${DAY_US} + (60 + pick('time', b, 86200)) * ${SECOND_US} + pick('micros', b, ${SECOND_US}) AS us,
         ${SECOND_US} * CASE WHEN kind = 'recovered' THEN 7200 + pick('lag', b, 136800)
                             WHEN pick('slow', b, 10) = 0 THEN 3600 + pick('lag', b, 18000)
                             ELSE 120 + pick('lag', b, 3180) END AS lag_us
       FROM visits),
     timed AS (
       SELECT b, kind, CASE WHEN kind IN ('converted', 'recovered', 'direct') THEN us END AS order_us,
         CASE WHEN kind IN ('abandoned', 'emptied') THEN us WHEN kind = 'direct' THEN NULL
              WHEN us - lag_us >= 60 * ${SECOND_US} THEN us - lag_us ELSE us // 2 END AS cart_us,
         CASE WHEN kind = 'converted' THEN order_us ELSE cart_us + (60 + pick('open for', b, 2640)) * ${SECOND_US} END AS closed_us,
         cart_us // ${DAY_US} AS cart_day, order_us // ${DAY_US} AS order_day,
         order_day + CASE WHEN kind = 'direct' AND pick('late', b, 100) < 15 THEN 2 + pick('late by', b, 2) ELSE 0 END AS arrival_day
       FROM moments)
     SELECT b, kind, order_us, cart_us, closed_us, cart_day, order_day,
       CASE WHEN arrival_day < ${days} THEN arrival_day ELSE order_day END AS order_ingest_day,
       CASE WHEN kind = 'emptied' THEN 0 ELSE 1 + pick('lines', b, ${MAX_LINES}) END AS lines,
       CASE WHEN pick('guest', b, 100) >= 40
            THEN 1 + floor(known * unit('customer', b) * unit('customer', b))::BIGINT END AS c
     FROM timed JOIN known_customers ON d = coalesce(cart_day, order_day)`,
    `CREATE TABLE buyers AS
     SELECT b, coalesce(customer_id, 'GUEST-' || (100000 + b)) AS customer_id,
       coalesce(email, 'guest' || b || '@example.com') AS email,
       coalesce(loyalty_tier, ${drawn(GUEST_TIERS, 'guest tier', 'b')}) AS tier, coalesce(clv_bucket, 'Low') AS clv_bucket,
       coalesce(mailing_address, address('guest address', b)) AS address
     FROM baskets LEFT JOIN clean_customers ON __no = c`,
  ];
}

/** Products of one basket differ, because eight steps of less than an eighth never come round. */
function basketLines(): string {
  const step = `(1 + pick('step', b, ${Math.floor(PRODUCTS / MAX_LINES) - 1}))`;
  return `
CREATE TABLE basket_lines AS
SELECT b, k, line, product_id, product_name, category, quantity, unit_price, cost_price, price,
  CASE WHEN pick('discounted', line, 5) = 0 THEN quantity * price * (5 + pick('discount', line, 21)) // 100 ELSE 0 END AS discount
FROM (
  SELECT b, k, b * ${MAX_LINES} + k AS line, 1 + (pick('product', b, ${PRODUCTS}) + k * ${step}) % ${PRODUCTS} AS product_id,
    1 + pick('quantity', b * ${MAX_LINES} + k, 4) AS quantity
  FROM baskets, unnest(range(lines)) t(k))
JOIN (
  SELECT product_id, trim(product_name) AS product_name, category, unit_price, cost_price, round(unit_price * 100)::BIGINT AS price
  FROM clean_product_catalog) USING (product_id)`;
}

function carts(): readonly string[] {
  return [
    `CREATE TABLE clean_shopping_carts AS
     SELECT ${CART_ID} AS cart_id, customer_id, iso(cart_us) AS created_at,
       CASE WHEN pick('no update', b, 25) = 0 THEN blank('no update as', b) ELSE iso(closed_us) END AS updated_at,
       money(coalesce(total, 0)) AS cart_total,
       messy(CASE kind WHEN 'recovered' THEN 'abandoned' ELSE kind END, 'cart mess', b) AS status,
       ${marks('cart_day', 'cart_us', 'b')}
     FROM baskets JOIN buyers USING (b)
     LEFT JOIN (SELECT b, sum(quantity * price) AS total FROM basket_lines GROUP BY b) USING (b)
     WHERE cart_us IS NOT NULL`,
    // Lines are added at even steps while the cart is open, for twenty minutes at most. They are filed by that moment, which may
    // lie up to ten minutes into the next day, but not beyond the last one.
    `CREATE TABLE clean_cart_items AS
     WITH open AS (
       SELECT *, (cart_day + 1) * ${DAY_US} + CASE WHEN cart_day < last_day THEN ${600 * SECOND_US} ELSE -${SECOND_US} END AS limit_us
       FROM baskets, (SELECT max(d) AS last_day FROM calendar) WHERE cart_us IS NOT NULL),
     added AS (
       SELECT *, cart_us + (k + 1) * (least(closed_us, cart_us + ${1_200 * SECOND_US}, limit_us) - cart_us) // ${MAX_LINES + 1} AS us
       FROM basket_lines JOIN open USING (b))
     SELECT 1 + line AS cart_item_id, ${CART_ID} AS cart_id, product_id,
       messy(product_name, 'cart item mess', line) AS product_name, category, iso(us) AS added_at, quantity, unit_price,
       ${marks(`us // ${DAY_US}`, 'us', 'line')}
     FROM added`,
  ];
}

function orders(): readonly string[] {
  const fee = `CASE WHEN channel IN ('Ebay', 'NewEgg') THEN ${MARKETPLACE_FEE} ELSE ${numberFor(PAYMENT_FEES, 'method')} END`;
  const isLate = 'order_ingest_day > order_day';
  return [
    `CREATE TABLE clean_orders AS
     WITH totals AS (
       SELECT b, sum(quantity * price)::BIGINT AS gross, sum(discount)::BIGINT AS discount, sum(quantity)::BIGINT AS units
       FROM basket_lines GROUP BY b),
     placed AS (
       SELECT *, ${drawn(CHANNELS, 'channel', 'b')} AS channel, ${drawn(SPEEDS, 'speed', 'b')} AS speed,
         ${drawn(METHODS, 'method', 'b')} AS method
       FROM baskets JOIN buyers USING (b) JOIN totals USING (b) WHERE order_us IS NOT NULL)
     SELECT ${ORDER_ID} AS order_id, units AS total_items, strftime(instant(order_us), '%Y-%m-%d %H:%M:%S.%f') AS order_date,
       customer_id, email, channel AS order_channel, speed <> 'Standard' AS is_expedited, tier AS customer_tier,
       money(gross) AS gross_total, money(gross - discount) AS net_total, money(discount) AS total_discount_amount,
       messy(method, 'payment mess', b) AS payment_method, messy(speed, 'speed mess', b) AS shipping_speed,
       money(${numberFor(SHIPPING_PRICES, 'speed')}) AS shipping_cost,
       CASE WHEN pick('no agent', b, 25) = 0 THEN blank('no agent as', b)
            WHEN channel = 'Phone' THEN agent('agent', b) ELSE 'ONLINE' END AS agent_id,
       money(${numberFor(SHIPPING_COSTS, 'speed')} * (85 + pick('real shipping', b, 26)) // 100) AS actual_shipping_cost,
       money((gross - discount) * ${fee} // 1000) AS payment_processing_fee,
       address AS shipping_address, address AS billing_address, messy(clv_bucket, 'clv mess', b) AS clv_bucket,
       pick('reactivated', b, 100) < 8 AS is_reactivated,
       ${marks('order_ingest_day', 'order_us', 'b', isLate)}
     FROM placed`,
    `CREATE TABLE clean_order_items AS
     SELECT ${ORDER_ID} AS order_id, product_id, messy(product_name, 'order item mess', line) AS product_name, category,
       quantity, unit_price, money(discount) AS discount_amount, cost_price,
       ${marks('order_ingest_day', 'order_us', 'line', isLate)}
     FROM basket_lines JOIN baskets USING (b) WHERE order_us IS NOT NULL`,
  ];
}

/** A quarter of the orders come back, most within days, some in two parcels; what would come after the last day is not seen. */
function returns({ days }: ShopSize): readonly string[] {
  return [
    `CREATE TABLE return_parcels AS
     WITH sent_back AS (
       SELECT b, lines, order_day + 1 + floor(20 * unit('return lag', b) * unit('return lag', b))::BIGINT AS first_day,
         first_day + 1 + pick('second lag', b, 5) AS next_day
       FROM baskets
       WHERE order_us IS NOT NULL AND order_ingest_day = order_day AND pick('returned', b, 100) < 25 AND first_day < ${days}),
     split AS (SELECT *, lines > 1 AND pick('second return', b, 100) < 15 AND next_day < ${days} AS is_split FROM sent_back)
     SELECT b, 1 AS parcel, first_day AS back_day, 0 AS from_k, CASE WHEN is_split THEN lines // 2 ELSE lines END AS to_k FROM split
     UNION ALL
     SELECT b, 2, next_day, lines // 2, lines FROM split WHERE is_split`,
    `CREATE TABLE return_lines AS
     SELECT b, parcel, back_day, k, line, product_id, product_name, category, unit_price, cost_price, price,
       1 + pick('units back', line, quantity) AS units
     FROM return_parcels JOIN basket_lines USING (b)
     WHERE k >= from_k AND k < to_k AND (k = from_k OR pick('line back', line, 2) = 0)`,
    `CREATE TABLE clean_returns AS
     WITH refunds AS (SELECT b, parcel, back_day, sum(units * price)::BIGINT AS refund FROM return_lines GROUP BY ALL)
     SELECT ${RETURN_ID} AS return_id, order_id, customer_id, email, on_day(back_day) AS return_date,
       messy(choose(${literalList(RETURN_REASONS)}, 'reason', ${RETURN_NO}), 'reason mess', ${RETURN_NO}) AS reason,
       messy('Refund', 'type mess', ${RETURN_NO}) AS return_type, money(refund) AS refunded_amount,
       messy(order_channel, 'return channel mess', ${RETURN_NO}) AS return_channel,
       CASE WHEN order_channel = 'Phone' THEN agent('return agent', b)
            WHEN pick('no return agent', b, 40) = 0 THEN blank('no return agent as', b) ELSE 'ONLINE' END AS agent_id,
       trim(payment_method) AS refund_method,
       ${marks('back_day', `back_day * ${DAY_US}`, RETURN_NO)}
     FROM refunds JOIN (FROM clean_orders SELECT * EXCLUDE (__day, __at, __again, __late)) ON __no = b`,
    `CREATE TABLE clean_return_items AS
     SELECT 1 + line AS return_item_id, ${RETURN_ID} AS return_id, ${ORDER_ID} AS order_id, product_id,
       messy(product_name, 'return item mess', line) AS product_name, category, units AS quantity_returned, unit_price,
       cost_price, money(units * price) AS refunded_amount,
       ${marks('back_day', `back_day * ${DAY_US}`, 'line')}
     FROM return_lines`,
  ];
}

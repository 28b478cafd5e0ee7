/** Size and seed of a demo -> the SQL that makes a clean shop of it: customers, products, carts, orders and returns. Pure. */
import { addDays } from '../core/partition.ts';
import { literal, literalList } from '../engine/sql-text.ts';

export interface ShopSize {
  readonly firstDay: string;
  readonly days: number;
  readonly ordersPerDay: number;
  readonly seed: number;
}

export const PRODUCTS = 1_286;
const MAX_LINES = 8;
/** Signup days before the first day, one a week and a bit, a year back: few partitions, but a history. */
const EARLIER_SIGNUP_DAYS = 46;
const SIGNUP_STEP_DAYS = 8;
const DAY_US = 86_400_000_000;

const CATEGORIES: { readonly [category: string]: readonly string[] } = {
  Books: ['Guide', 'Anthology', 'Novel', 'Atlas', 'Cookbook'],
  Clothing: ['Jeans', 'Jacket', 'Scarf', 'Shirt', 'Socks'],
  Electronics: ['Headphones', 'Speaker', 'Charger', 'Camera', 'Keyboard'],
  Home: ['Lamp', 'Kettle', 'Blanket', 'Shelf', 'Clock'],
  Toys: ['Car', 'Puzzle', 'Robot', 'Blocks', 'Kite'],
};
const ADJECTIVES = ['Classic', 'Compact', 'Fun', 'Portable', 'Deluxe', 'Eco', 'Vintage', 'Smart'];
const FIRST_NAMES = ['Ada', 'Ben', 'Chloe', 'David', 'Elif', 'Finn', 'Grace', 'Hugo', 'Ines', 'Jonas', 'Kim', 'Lena'];
const LAST_NAMES = ['Adams', 'Berg', 'Costa', 'Diaz', 'Evans', 'Fischer', 'Garcia', 'Holm', 'Ito', 'Jones', 'Kaya'];
const STREETS = ['Oak Street', 'Maple Avenue', 'Hill Road', 'River Lane', 'Station Street', 'Park Avenue'];
const CITIES = ['Springfield', 'Fairview', 'Riverton', 'Lakewood', 'Georgetown', 'Ashland', 'Clinton'];
const STATES = ['CA', 'NY', 'TX', 'WA', 'IL', 'MA', 'OH', 'GA', 'CO', 'OR', 'MN', 'FL'];
const RETURN_REASONS = [
  'Changed mind',
  'Found a better price',
  'Defective',
  'Damaged in transit',
  'Arrived damaged',
  'Wrong item',
  'Product did not match description',
  'No longer needed',
  'Item arrived late',
];
/** What sources write where they have nothing; all of it reads as null. */
export const BLANKS = ['', 'none', 'NULL', 'n/a', 'nan', '  '];

/**
 * Statements that leave one table `clean_<name>` a bronze table, with the bronze columns and
 * `__day` (index of the ingest day), `__at` (event time, microseconds since the first day), `__no` (unique, fixed by the seed),
 * `__again` (false: first delivery), `__late`.
 *
 * Money is counted in cents, so sums hold exactly. All chance is a hash of a stream's name, a number and the seed.
 */
export function shopStatements(size: ShopSize): readonly string[] {
  return [
    ...macros(size),
    `CREATE TABLE calendar AS
     SELECT d, greatest(1, round(${size.ordersPerDay} * (0.85 + 0.3 * unit('day', d))))::BIGINT AS orders FROM range(${size.days}) t(d)`,
    products(),
    ...customers(size),
    ...baskets(size),
    basketLines(),
    ...carts(),
    ...orders(),
    ...returns(size),
  ];
}

/** How many customers a demo of this size has. */
export function customerCount(size: ShopSize): number {
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
    `CREATE MACRO address(stream, id) AS
       CASE WHEN pick(stream || ' kind', id, 50) = 0 THEN 'PO Box ' || pick(stream, id, 9000) || ', ' || choose(${literalList(CITIES)}, stream || ' city', id)
       ELSE (100 + pick(stream, id, 89900)) || ' ' || choose(${literalList(STREETS)}, stream || ' street', id) || ', '
         || choose(${literalList(CITIES)}, stream || ' city', id) || ', ' || choose(${literalList(STATES)}, stream || ' state', id)
         || ' ' || (10000 + pick(stream || ' zip', id, 89999)) END`,
  ];
}

function products(): string {
  const names = Object.values(CATEGORIES).map((nouns) => literalList(nouns));
  return `
CREATE TABLE clean_product_catalog AS
SELECT p AS product_id,
  messy(choose(${literalList(ADJECTIVES)}, 'adjective', p) || ' ' || choose(([${names.join(', ')}])[p % 5 + 1], 'noun', p), 'name mess', p) AS product_name,
  (${literalList(Object.keys(CATEGORIES))})[p % 5 + 1] AS category,
  money(price) AS unit_price, money(price * (40 + pick('cost', p, 31)) // 100) AS cost_price, 100 + pick('stock', p, 151) AS inventory_quantity,
  0 AS __day, 0::BIGINT AS __at, p AS __no, false AS __again, false AS __late
FROM (SELECT p, 500 + pick('price', p, 24501) AS price FROM range(1, ${PRODUCTS + 1}) t(p))`;
}

function customers(size: ShopSize): readonly string[] {
  const count = customerCount(size);
  const signupDays = EARLIER_SIGNUP_DAYS + size.days;
  const earliest = addDays(size.firstDay, -EARLIER_SIGNUP_DAYS * SIGNUP_STEP_DAYS);
  const first = literal(earliest);
  return [
    `CREATE TABLE signups AS
     SELECT c, slot, CASE WHEN slot < ${EARLIER_SIGNUP_DAYS} THEN DATE ${first} + (slot * ${SIGNUP_STEP_DAYS})::INTEGER
                     ELSE DATE ${literal(size.firstDay)} + (slot - ${EARLIER_SIGNUP_DAYS})::INTEGER END AS signup
     FROM (SELECT c, (c - 1) * ${signupDays} // ${count} AS slot FROM range(1, ${count + 1}) t(c))`,
    // Customers 1..known had signed up before the day began.
    `CREATE TABLE known_customers AS
     SELECT d, (SELECT count(*) FROM signups WHERE slot < ${EARLIER_SIGNUP_DAYS} + d) AS known FROM calendar`,
    `CREATE TABLE clean_customers AS
     SELECT 'CUST-' || c AS customer_id, first_name, last_name,
       lower(first_name || '.' || last_name) || c || '@' || choose(['example.com', 'example.org', 'example.net'], 'host', c) AS email,
       '+1-555-' || (100 + pick('phone', c, 900)) || '-' || (1000 + pick('phone end', c, 9000)) AS phone_number,
       strftime(signup, '%Y-%m-%d') AS signup_date,
       choose(['Female', 'Male', 'Unknown'], 'gender', c) AS gender, (18 + pick('age', c, 53))::DOUBLE AS age, false AS is_guest,
       messy(choose(['Active', 'Active', 'Active', 'Inactive', 'Dormant'], 'status', c), 'status mess', c) AS customer_status,
       choose(['Website', 'Website', 'Website', 'email', 'Social Media', 'Phone'], 'signup channel', c) AS signup_channel,
       tier AS loyalty_tier,
       CASE WHEN pick('no tier', c, 10) = 0 THEN blank('no tier as', c) ELSE choose(['Bronze', 'Silver', 'Gold', 'Platinum'], 'first tier', c) END AS initial_loyalty_tier,
       CASE WHEN pick('unverified', c, 22) > 0 THEN pick('verified', c, 5) > 0 END AS email_verified,
       CASE WHEN pick('no opt', c, 25) > 0 THEN pick('opt in', c, 2) = 0 END AS marketing_opt_in,
       address('address', c) AS mailing_address, address('address', c) AS billing_address,
       CASE WHEN pick('not enrolled', c, 10) > 0 THEN strftime(signup + pick('enrolled', c, 60)::INTEGER, '%Y-%m-%d') END AS loyalty_enrollment_date,
       CASE tier WHEN 'Bronze' THEN 'Low' WHEN 'Silver' THEN 'Medium' ELSE 'High' END AS clv_bucket,
       0 AS __day, (signup - DATE ${literal(size.firstDay)}) * ${DAY_US} AS __at, c AS __no, false AS __again, false AS __late
     FROM (SELECT *, choose(${literalList(FIRST_NAMES)}, 'first name', c) AS first_name, choose(${literalList(LAST_NAMES)}, 'last name', c) AS last_name,
             CASE WHEN unit('tier', c) < 0.5 THEN 'Bronze' WHEN unit('tier', c) < 0.75 THEN 'Silver' WHEN unit('tier', c) < 0.9 THEN 'Gold' ELSE 'Platinum' END AS tier
           FROM signups)`,
  ];
}

/**
 * A basket is what one visit leaves behind: a cart, an order, or both.
 * converted: the cart became an order within hours; recovered: it was given up and bought a day or so later;
 * direct: an order without cart; abandoned and emptied: a cart without order, the latter without items.
 */
function baskets({ days }: ShopSize): readonly string[] {
  return [
    `CREATE TABLE baskets AS
     WITH sizes AS (SELECT d, orders, orders * 12 // 10 AS given_up, (orders * 4 + 9) // 10 AS emptied FROM calendar),
     placed AS (SELECT *, orders + given_up + emptied AS visits, (sum(visits) OVER (ORDER BY d) - visits)::BIGINT AS first FROM sizes),
     visits AS (
       SELECT d, first + k AS b,
         CASE WHEN k >= orders + given_up THEN 'emptied' WHEN k >= orders THEN 'abandoned' WHEN pick('kind', b, 100) < 10 THEN 'direct'
              WHEN pick('kind', b, 100) < 16 THEN 'recovered' ELSE 'converted' END AS kind
       FROM placed, unnest(range(visits)) t(k)),
     -- The visit's own moment: of the order where there is one, else of the cart.
     moments AS (
       SELECT b, kind, d * ${DAY_US} + (60 + pick('time', b, 86200)) * 1000000 + pick('micros', b, 1000000) AS us,
         1000000 * CASE WHEN kind = 'recovered' THEN 7200 + pick('lag', b, 136800)
                        WHEN pick('slow', b, 10) = 0 THEN 3600 + pick('lag', b, 18000) ELSE 120 + pick('lag', b, 3180) END AS lag_us
       FROM visits),
     timed AS (
       SELECT b, kind, CASE WHEN kind IN ('converted', 'recovered', 'direct') THEN us END AS order_us,
         CASE WHEN kind IN ('abandoned', 'emptied') THEN us WHEN kind = 'direct' THEN NULL
              WHEN us - lag_us >= 60000000 THEN us - lag_us ELSE us // 2 END AS cart_us,
         CASE WHEN kind = 'converted' THEN order_us ELSE cart_us + (60 + pick('open for', b, 2640)) * 1000000 END AS closed_us,
         cart_us // ${DAY_US} AS cart_day, order_us // ${DAY_US} AS order_day,
         order_day + CASE WHEN kind = 'direct' AND pick('late', b, 100) < 15 THEN 2 + pick('late by', b, 2) ELSE 0 END AS arrival_day
       FROM moments)
     SELECT b, kind, order_us, cart_us, closed_us, cart_day, order_day,
       CASE WHEN arrival_day < ${days} THEN arrival_day ELSE order_day END AS order_ingest_day,
       CASE WHEN kind = 'emptied' THEN 0 ELSE 1 + pick('lines', b, ${MAX_LINES}) END AS lines,
       CASE WHEN pick('guest', b, 100) >= 40 THEN 1 + floor(known * unit('customer', b) * unit('customer', b))::BIGINT END AS c
     FROM timed JOIN known_customers ON d = coalesce(cart_day, order_day)`,
    `CREATE TABLE buyers AS
     SELECT b, coalesce(customer_id, 'GUEST-' || (100000 + b)) AS customer_id, coalesce(email, 'guest' || b || '@example.com') AS email,
       coalesce(loyalty_tier, choose(['Bronze', 'Silver', 'Gold'], 'guest tier', b)) AS tier, coalesce(clv_bucket, 'Low') AS clv_bucket,
       coalesce(mailing_address, address('guest address', b)) AS address
     FROM baskets LEFT JOIN clean_customers ON __no = c`,
  ];
}

/** Products of one basket differ, because eight steps of less than an eighth never come round. */
function basketLines(): string {
  return `
CREATE TABLE basket_lines AS
SELECT b, k, line, product_id, product_name, category, quantity, unit_price, cost_price, price,
  CASE WHEN pick('discounted', line, 5) = 0 THEN quantity * price * (5 + pick('discount', line, 21)) // 100 ELSE 0 END AS discount
FROM (SELECT b, k, b * ${MAX_LINES} + k AS line, 1 + (pick('product', b, ${PRODUCTS}) + k * (1 + pick('step', b, ${Math.floor(PRODUCTS / MAX_LINES) - 1}))) % ${PRODUCTS} AS product_id,
        1 + pick('quantity', b * ${MAX_LINES} + k, 4) AS quantity
      FROM baskets, unnest(range(lines)) t(k))
JOIN (SELECT product_id, trim(product_name) AS product_name, category, unit_price, cost_price, round(unit_price * 100)::BIGINT AS price FROM clean_product_catalog) USING (product_id)`;
}

function carts(): readonly string[] {
  return [
    `CREATE TABLE clean_shopping_carts AS
     SELECT 'CART-' || (10000000 + b) AS cart_id, customer_id, iso(cart_us) AS created_at,
       CASE WHEN pick('no update', b, 25) = 0 THEN blank('no update as', b) ELSE iso(closed_us) END AS updated_at,
       money(coalesce(total, 0)) AS cart_total,
       messy(CASE kind WHEN 'recovered' THEN 'abandoned' ELSE kind END, 'cart mess', b) AS status,
       cart_day AS __day, cart_us AS __at, b AS __no, false AS __again, false AS __late
     FROM baskets JOIN buyers USING (b) LEFT JOIN (SELECT b, sum(quantity * price) AS total FROM basket_lines GROUP BY b) USING (b)
     WHERE cart_us IS NOT NULL`,
    // Items are filed by the moment they were added, which may be the day after the cart was opened.
    `CREATE TABLE clean_cart_items AS
     SELECT 1 + line AS cart_item_id, 'CART-' || (10000000 + b) AS cart_id, product_id, messy(product_name, 'cart item mess', line) AS product_name, category,
       iso(us) AS added_at, quantity, unit_price, us // ${DAY_US} AS __day, us AS __at, line AS __no, false AS __again, false AS __late
     FROM (SELECT *, cart_us + (k + 1) * (least(closed_us, cart_us + 1200000000, (cart_day + 1) * ${DAY_US} + CASE WHEN cart_day < last_day THEN 600000000 ELSE -1000000 END) - cart_us) // ${MAX_LINES + 1} AS us
           FROM basket_lines JOIN baskets USING (b), (SELECT max(d) AS last_day FROM calendar) WHERE cart_us IS NOT NULL)`,
  ];
}

function orders(): readonly string[] {
  return [
    `CREATE TABLE clean_orders AS
     SELECT 'ORD-' || (10000000 + b) AS order_id, units AS total_items, strftime(instant(order_us), '%Y-%m-%d %H:%M:%S.%f') AS order_date, customer_id, email,
       channel AS order_channel, speed <> 'Standard' AS is_expedited, tier AS customer_tier,
       money(gross) AS gross_total, money(gross - discount) AS net_total, money(discount) AS total_discount_amount,
       messy(method, 'payment mess', b) AS payment_method, messy(speed, 'speed mess', b) AS shipping_speed,
       money(CASE speed WHEN 'Standard' THEN 500 WHEN 'Two-Day' THEN 4500 ELSE 8000 END) AS shipping_cost,
       CASE WHEN pick('no agent', b, 25) = 0 THEN blank('no agent as', b) WHEN channel = 'Phone' THEN 'CSR-' || lpad((1 + pick('agent', b, 20))::VARCHAR, 4, '0') ELSE 'ONLINE' END AS agent_id,
       money(CASE speed WHEN 'Standard' THEN 450 WHEN 'Two-Day' THEN 3800 ELSE 7000 END * (85 + pick('real shipping', b, 26)) // 100) AS actual_shipping_cost,
       money((gross - discount) * CASE WHEN channel IN ('Ebay', 'NewEgg') THEN 35 WHEN method = 'ACH' THEN 10 WHEN method = 'Credit Card' THEN 25 WHEN method = 'PayPal' THEN 30 ELSE 20 END // 1000) AS payment_processing_fee,
       address AS shipping_address, address AS billing_address, messy(clv_bucket, 'clv mess', b) AS clv_bucket, pick('reactivated', b, 100) < 8 AS is_reactivated,
       order_ingest_day AS __day, order_us AS __at, b AS __no, false AS __again, order_ingest_day > order_day AS __late
     FROM (SELECT *,
             CASE WHEN unit('channel', b) < 0.45 THEN 'Web' WHEN unit('channel', b) < 0.65 THEN 'Phone' WHEN unit('channel', b) < 0.8 THEN 'Social Media'
                  WHEN unit('channel', b) < 0.95 THEN 'Ebay' ELSE 'NewEgg' END AS channel,
             CASE WHEN unit('speed', b) < 0.65 THEN 'Standard' WHEN unit('speed', b) < 0.85 THEN 'Two-Day' ELSE 'Overnight' END AS speed,
             CASE WHEN unit('method', b) < 0.45 THEN 'Credit Card' WHEN unit('method', b) < 0.7 THEN 'PayPal' WHEN unit('method', b) < 0.83 THEN 'Apple Pay'
                  WHEN unit('method', b) < 0.94 THEN 'Google Pay' ELSE 'ACH' END AS method
           FROM baskets JOIN buyers USING (b) JOIN (SELECT b, sum(quantity * price)::BIGINT AS gross, sum(discount)::BIGINT AS discount, sum(quantity)::BIGINT AS units FROM basket_lines GROUP BY b) USING (b)
           WHERE order_us IS NOT NULL)`,
    `CREATE TABLE clean_order_items AS
     SELECT 'ORD-' || (10000000 + b) AS order_id, product_id, messy(product_name, 'order item mess', line) AS product_name, category, quantity, unit_price,
       money(discount) AS discount_amount, cost_price, order_ingest_day AS __day, order_us AS __at, line AS __no, false AS __again, order_ingest_day > order_day AS __late
     FROM basket_lines JOIN baskets USING (b) WHERE order_us IS NOT NULL`,
  ];
}

/** A quarter of the orders come back, most within days, some in two parcels; what would come after the last day is not seen. */
function returns({ days }: ShopSize): readonly string[] {
  return [
    `CREATE TABLE return_parcels AS
     SELECT b, parcel, back_day, CASE WHEN parcel = 1 THEN 0 ELSE lines // 2 END AS from_k,
       CASE WHEN parcel = 1 AND second_day IS NOT NULL THEN lines // 2 ELSE lines END AS to_k
     FROM (SELECT b, lines, first_day, CASE WHEN lines > 1 AND pick('second return', b, 100) < 15 AND first_day + 1 + pick('second lag', b, 5) < ${days}
                                  THEN first_day + 1 + pick('second lag', b, 5) END AS second_day
           FROM (SELECT b, lines, order_day + 1 + floor(20 * unit('return lag', b) * unit('return lag', b))::BIGINT AS first_day
                 FROM baskets WHERE order_us IS NOT NULL AND order_ingest_day = order_day AND pick('returned', b, 100) < 25)
           WHERE first_day < ${days}),
          LATERAL (SELECT 1 AS parcel, first_day AS back_day UNION ALL SELECT 2, second_day WHERE second_day IS NOT NULL)`,
    `CREATE TABLE return_lines AS
     SELECT b, parcel, back_day, k, line, product_id, product_name, category, unit_price, cost_price, price, 1 + pick('units back', line, quantity) AS units
     FROM return_parcels JOIN basket_lines USING (b)
     WHERE k >= from_k AND k < to_k AND (k = from_k OR pick('line back', line, 2) = 0)`,
    `CREATE TABLE clean_returns AS
     SELECT 'RTN-' || (10000000 + b * 2 + parcel - 1) AS return_id, order_id, customer_id, email, on_day(back_day) AS return_date,
       messy(choose(${literalList(RETURN_REASONS)}, 'reason', b * 2 + parcel), 'reason mess', b * 2 + parcel) AS reason, messy('Refund', 'type mess', b * 2 + parcel) AS return_type,
       money(refund) AS refunded_amount, messy(order_channel, 'return channel mess', b * 2 + parcel) AS return_channel,
       CASE WHEN order_channel = 'Phone' THEN 'CSR-' || lpad((1 + pick('return agent', b, 20))::VARCHAR, 4, '0') WHEN pick('no return agent', b, 40) = 0 THEN blank('no return agent as', b) ELSE 'ONLINE' END AS agent_id,
       trim(payment_method) AS refund_method, back_day AS __day, back_day * ${DAY_US} AS __at, b * 2 + parcel AS __no, false AS __again, false AS __late
     FROM (SELECT b, parcel, back_day, sum(units * price)::BIGINT AS refund FROM return_lines GROUP BY ALL) JOIN clean_orders ON clean_orders.__no = b`,
    `CREATE TABLE clean_return_items AS
     SELECT 1 + line AS return_item_id, 'RTN-' || (10000000 + b * 2 + parcel - 1) AS return_id, 'ORD-' || (10000000 + b) AS order_id, product_id,
       messy(product_name, 'return item mess', line) AS product_name, category, units AS quantity_returned, unit_price, cost_price, money(units * price) AS refunded_amount,
       back_day AS __day, back_day * ${DAY_US} AS __at, line AS __no, false AS __again, false AS __late
     FROM return_lines`,
  ];
}

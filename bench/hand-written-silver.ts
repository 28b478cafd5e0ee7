/** What somebody would write by hand to make the demo's base silver: one script a table, the same checks, the same files. */
interface HandWritten {
  readonly table: string;
  readonly partitionBy: string;
  /** Typed columns, from `raw`. */
  readonly typed: string;
  /** `CASE WHEN … THEN code END` by code. */
  readonly reasons: readonly (readonly [code: string, when: string])[];
  readonly key: string;
  readonly identity?: string;
}

const t = (column: string): string =>
  `CASE WHEN lower(trim(${column})) IN ('', 'none', 'null', 'n/a', 'nan') THEN NULL ELSE trim(${column}) END AS ${column}`;
const l = (column: string): string =>
  `CASE WHEN lower(trim(${column})) IN ('', 'none', 'null', 'n/a', 'nan') THEN NULL ELSE lower(trim(${column})) END AS ${column}`;
const money = (column: string): string => `try_cast(${column} AS DECIMAL(18,2)) AS ${column}`;
const at = (column: string): string => `try_cast(trim(${column}) AS TIMESTAMP) AT TIME ZONE 'UTC' AS ${column}`;
const day = (column: string): string => `try_cast(trim(${column}) AS DATE) AS ${column}`;

export const HAND_WRITTEN: readonly HandWritten[] = [
  {
    table: 'customers',
    partitionBy: 'signup_dt',
    typed: `${[t('customer_id'), t('first_name'), t('last_name'), l('email'), t('phone_number'), day('signup_date'), l('gender'), 'try_cast(age AS DECIMAL(10,2)) AS age', 'is_guest', l('customer_status'), l('signup_channel'), l('loyalty_tier'), l('initial_loyalty_tier'), 'email_verified', 'marketing_opt_in', t('mailing_address'), t('billing_address'), day('loyalty_enrollment_date'), l('clv_bucket')].join(', ')}, try_cast(trim(signup_date) AS DATE) AS signup_dt`,
    reasons: [
      ['missing_customer_id', 'customer_id IS NULL'],
      ['invalid_email', "email IS NULL OR NOT regexp_matches(email, '@.*\\.') OR length(email) < 5"],
      ['missing_signup_date', 'signup_date IS NULL'],
    ],
    key: 'customer_id',
  },
  {
    table: 'product_catalog',
    partitionBy: 'ingestion_dt',
    typed: [
      'product_id',
      t('product_name'),
      l('category'),
      money('unit_price'),
      money('cost_price'),
      'inventory_quantity',
    ].join(', '),
    reasons: [
      ['invalid_product_id', 'product_id IS NULL OR product_id <= 0'],
      ['missing_product_name', 'product_name IS NULL'],
      ['missing_unit_price', 'unit_price IS NULL'],
      ['negative_unit_price', 'unit_price < 0'],
      ['negative_cost_price', 'cost_price < 0'],
      ['negative_inventory', 'inventory_quantity < 0'],
      ['unit_price_below_cost', 'unit_price < cost_price'],
    ],
    key: 'product_id',
  },
  {
    table: 'shopping_carts',
    partitionBy: 'ingestion_dt',
    typed: [t('cart_id'), t('customer_id'), at('created_at'), at('updated_at'), money('cart_total'), l('status')].join(
      ', ',
    ),
    reasons: [
      ['missing_cart_id', 'cart_id IS NULL'],
      ['missing_customer_id', 'customer_id IS NULL'],
      ['invalid_created_at', 'created_at IS NULL'],
      ['negative_cart_total', 'cart_total < 0'],
      ['updated_before_created', 'updated_at < created_at'],
    ],
    key: 'cart_id',
    identity: 'customer_id',
  },
  {
    table: 'cart_items',
    partitionBy: 'ingestion_dt',
    typed: [
      'cart_item_id',
      t('cart_id'),
      'product_id',
      t('product_name'),
      l('category'),
      at('added_at'),
      'quantity',
      money('unit_price'),
    ].join(', '),
    reasons: [
      ['invalid_cart_item_id', 'cart_item_id IS NULL OR cart_item_id <= 0'],
      ['missing_cart_id', 'cart_id IS NULL'],
      ['invalid_product_id', 'product_id IS NULL OR product_id <= 0'],
      ['invalid_quantity', 'quantity IS NULL OR quantity <= 0'],
      ['missing_unit_price', 'unit_price IS NULL'],
      ['negative_unit_price', 'unit_price < 0'],
    ],
    key: 'cart_id, product_id, added_at',
  },
  {
    table: 'orders',
    partitionBy: 'ingestion_dt',
    typed: [
      t('order_id'),
      'total_items',
      at('order_date'),
      t('customer_id'),
      l('email'),
      l('order_channel'),
      'is_expedited',
      l('customer_tier'),
      money('gross_total'),
      money('net_total'),
      money('total_discount_amount'),
      l('payment_method'),
      l('shipping_speed'),
      money('shipping_cost'),
      t('agent_id'),
      money('actual_shipping_cost'),
      money('payment_processing_fee'),
      t('shipping_address'),
      t('billing_address'),
      l('clv_bucket'),
      'is_reactivated',
      'try_cast(trim(order_date) AS TIMESTAMP)::DATE AS order_dt',
    ].join(', '),
    reasons: [
      ['missing_order_id', 'order_id IS NULL'],
      ['missing_customer_id', 'customer_id IS NULL'],
      ['invalid_order_date', 'order_date IS NULL'],
      ['missing_gross_total', 'gross_total IS NULL'],
      ['missing_net_total', 'net_total IS NULL'],
      ['negative_gross_total', 'gross_total < 0'],
      ['negative_net_total', 'net_total < 0'],
      ['negative_discount', 'total_discount_amount < 0'],
      ['net_exceeds_gross', 'net_total > gross_total'],
    ],
    key: 'order_id',
    identity: 'customer_id',
  },
  {
    table: 'order_items',
    partitionBy: 'ingestion_dt',
    typed: [
      t('order_id'),
      'product_id',
      t('product_name'),
      l('category'),
      'quantity',
      money('unit_price'),
      money('discount_amount'),
      money('cost_price'),
    ].join(', '),
    reasons: [
      ['missing_order_id', 'order_id IS NULL'],
      ['invalid_product_id', 'product_id IS NULL OR product_id <= 0'],
      ['invalid_quantity', 'quantity IS NULL OR quantity <= 0'],
      ['missing_unit_price', 'unit_price IS NULL'],
      ['negative_unit_price', 'unit_price < 0'],
      ['negative_discount', 'discount_amount < 0'],
      ['negative_cost_price', 'cost_price < 0'],
    ],
    key: 'order_id, product_id',
  },
  {
    table: 'returns',
    partitionBy: 'ingestion_dt',
    typed: [
      t('return_id'),
      t('order_id'),
      t('customer_id'),
      l('email'),
      at('return_date'),
      t('reason'),
      l('return_type'),
      money('refunded_amount'),
      l('return_channel'),
      t('agent_id'),
      l('refund_method'),
      'try_cast(trim(return_date) AS TIMESTAMP)::DATE AS return_dt',
    ].join(', '),
    reasons: [
      ['missing_return_id', 'return_id IS NULL'],
      ['missing_order_id', 'order_id IS NULL'],
      ['missing_customer_id', 'customer_id IS NULL'],
      ['invalid_return_date', 'return_date IS NULL'],
      ['negative_refunded_amount', 'refunded_amount < 0'],
    ],
    key: 'return_id',
    identity: 'customer_id',
  },
  {
    table: 'return_items',
    partitionBy: 'ingestion_dt',
    typed: [
      'return_item_id',
      t('return_id'),
      t('order_id'),
      'product_id',
      t('product_name'),
      l('category'),
      'quantity_returned',
      money('unit_price'),
      money('cost_price'),
      money('refunded_amount'),
    ].join(', '),
    reasons: [
      ['invalid_return_item_id', 'return_item_id IS NULL OR return_item_id <= 0'],
      ['missing_return_id', 'return_id IS NULL'],
      ['missing_order_id', 'order_id IS NULL'],
      ['invalid_product_id', 'product_id IS NULL OR product_id <= 0'],
      ['invalid_quantity_returned', 'quantity_returned IS NULL OR quantity_returned <= 0'],
      ['negative_unit_price', 'unit_price < 0'],
      ['negative_cost_price', 'cost_price < 0'],
      ['negative_refunded_amount', 'refunded_amount < 0'],
    ],
    key: 'return_id, product_id',
  },
];

/** Statements that write good rows partitioned and the others with their reasons, and leave `scored` to count from. */
export function handWrittenStatements(one: HandWritten, bronze: string, target: string): readonly string[] {
  const reasons = one.reasons.map(([code, when]) => `CASE WHEN ${when} THEN '${code}' END`).join(', ');
  const own = one.identity
    ? `first_value(${one.identity}) OVER (PARTITION BY reasons = '', ${one.key} ORDER BY ingestion_ts, event_id) IS DISTINCT FROM ${one.identity}`
    : 'false';
  const key = one.partitionBy;
  return [
    `CREATE OR REPLACE TEMP TABLE typed AS
     SELECT ${one.typed}, batch_id, try_cast(ingestion_ts AS TIMESTAMPTZ) AS ingestion_ts, event_id, source_file,
            ${one.table === 'customers' || one.table === 'product_catalog' ? 'try_cast(ingestion_ts AS TIMESTAMPTZ)::DATE' : "regexp_extract(filename, 'ingest_dt=([0-9-]+)', 1)::DATE"} AS ingestion_dt
     FROM read_parquet('${bronze}/${one.table}/*/*.parquet', filename = true, union_by_name = true, hive_partitioning = false)`,
    `CREATE OR REPLACE TEMP TABLE judged AS SELECT *, concat_ws(' | ', ${reasons}) AS reasons FROM typed`,
    `CREATE OR REPLACE TEMP TABLE scored AS
     SELECT *, CASE WHEN reasons <> '' THEN 0 WHEN foreign_key THEN 0
       ELSE row_number() OVER (PARTITION BY reasons = '' AND NOT foreign_key, ${one.key} ORDER BY ingestion_ts DESC, event_id DESC) END AS place
     FROM (SELECT *, reasons = '' AND ${own} AS foreign_key FROM judged)`,
    `COPY (SELECT * EXCLUDE (reasons, place, foreign_key) FROM scored WHERE place = 1 ORDER BY ${key}, ${one.key})
     TO '${target}/${one.table}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (${key}), WRITE_PARTITION_COLUMNS true)`,
    `COPY (SELECT * FROM scored WHERE place <> 1) TO '${target}/${one.table}-quarantine.parquet' (FORMAT parquet, COMPRESSION zstd)`,
  ];
}

/** The eight bronze tables of the online shop: columns, types and how each is partitioned. */

export type BronzeType = 'VARCHAR' | 'BIGINT' | 'DOUBLE' | 'BOOLEAN';

export interface BronzeTable {
  readonly name: TableName;
  /** In the order of the files, without lineage columns. */
  readonly columns: readonly (readonly [name: string, type: BronzeType])[];
  /** Hive key; a column of the table too where `columns` names it. */
  readonly partitionKey: 'ingest_dt' | 'signup_date' | 'category';
  /** Columns whose values make the event id. */
  readonly key: readonly string[];
  /** Rows have a time of their own, which the manifest states. */
  readonly hasEventTime: boolean;
}

export const TABLE_NAMES = [
  'customers',
  'product_catalog',
  'shopping_carts',
  'cart_items',
  'orders',
  'order_items',
  'returns',
  'return_items',
] as const;
export type TableName = (typeof TABLE_NAMES)[number];

export const LINEAGE_COLUMNS = ['batch_id', 'ingestion_ts', 'event_id', 'source_file'] as const;

const text = (...names: string[]): [string, BronzeType][] => names.map((name) => [name, 'VARCHAR']);
const integer = (...names: string[]): [string, BronzeType][] => names.map((name) => [name, 'BIGINT']);
const double = (...names: string[]): [string, BronzeType][] => names.map((name) => [name, 'DOUBLE']);
const boolean = (...names: string[]): [string, BronzeType][] => names.map((name) => [name, 'BOOLEAN']);

export const BRONZE_TABLES: { readonly [table in TableName]: BronzeTable } = {
  customers: {
    name: 'customers',
    partitionKey: 'signup_date',
    key: ['customer_id'],
    hasEventTime: true,
    columns: [
      ...text('customer_id', 'first_name', 'last_name', 'email', 'phone_number', 'signup_date', 'gender'),
      ...double('age'),
      ...boolean('is_guest'),
      ...text('customer_status', 'signup_channel', 'loyalty_tier', 'initial_loyalty_tier'),
      ...boolean('email_verified', 'marketing_opt_in'),
      ...text('mailing_address', 'billing_address', 'loyalty_enrollment_date', 'clv_bucket'),
    ],
  },
  product_catalog: {
    name: 'product_catalog',
    partitionKey: 'category',
    key: ['product_id'],
    hasEventTime: false,
    columns: [
      ...integer('product_id'),
      ...text('product_name', 'category'),
      ...double('unit_price', 'cost_price'),
      ...integer('inventory_quantity'),
    ],
  },
  shopping_carts: {
    name: 'shopping_carts',
    partitionKey: 'ingest_dt',
    key: ['cart_id'],
    hasEventTime: true,
    columns: [
      ...text('cart_id', 'customer_id', 'created_at', 'updated_at'),
      ...double('cart_total'),
      ...text('status'),
    ],
  },
  cart_items: {
    name: 'cart_items',
    partitionKey: 'ingest_dt',
    key: ['cart_item_id'],
    hasEventTime: true,
    columns: [
      ...integer('cart_item_id'),
      ...text('cart_id'),
      ...integer('product_id'),
      ...text('product_name', 'category', 'added_at'),
      ...integer('quantity'),
      ...double('unit_price'),
    ],
  },
  orders: {
    name: 'orders',
    partitionKey: 'ingest_dt',
    key: ['order_id'],
    hasEventTime: true,
    columns: [
      ...text('order_id'),
      ...integer('total_items'),
      ...text('order_date', 'customer_id', 'email', 'order_channel'),
      ...boolean('is_expedited'),
      ...text('customer_tier'),
      ...double('gross_total', 'net_total', 'total_discount_amount'),
      ...text('payment_method', 'shipping_speed'),
      ...double('shipping_cost'),
      ...text('agent_id'),
      ...double('actual_shipping_cost', 'payment_processing_fee'),
      ...text('shipping_address', 'billing_address', 'clv_bucket'),
      ...boolean('is_reactivated'),
    ],
  },
  order_items: {
    name: 'order_items',
    partitionKey: 'ingest_dt',
    key: ['order_id', 'product_id'],
    hasEventTime: false,
    columns: [
      ...text('order_id'),
      ...integer('product_id'),
      ...text('product_name', 'category'),
      ...integer('quantity'),
      ...double('unit_price', 'discount_amount', 'cost_price'),
    ],
  },
  returns: {
    name: 'returns',
    partitionKey: 'ingest_dt',
    key: ['return_id'],
    hasEventTime: true,
    columns: [
      ...text('return_id', 'order_id', 'customer_id', 'email', 'return_date', 'reason', 'return_type'),
      ...double('refunded_amount'),
      ...text('return_channel', 'agent_id', 'refund_method'),
    ],
  },
  return_items: {
    name: 'return_items',
    partitionKey: 'ingest_dt',
    key: ['return_item_id'],
    hasEventTime: false,
    columns: [
      ...integer('return_item_id'),
      ...text('return_id', 'order_id'),
      ...integer('product_id'),
      ...text('product_name', 'category'),
      ...integer('quantity_returned'),
      ...double('unit_price', 'cost_price', 'refunded_amount'),
    ],
  },
};

/** Lookups are delivered once, before the first day; the six others each day. */
export const isLookup = (table: TableName): boolean => BRONZE_TABLES[table].partitionKey !== 'ingest_dt';

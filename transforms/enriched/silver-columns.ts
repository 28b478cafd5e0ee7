/** Columns of the silver tables that several transforms carry through, with their types. */
import type { ColumnSchema, ColumnType } from '../../core/types.ts';

type Columns = { readonly [name: string]: ColumnType };

/** Every business column of an order; lineage stays in silver, one join by order_id away. */
export const ORDER_COLUMNS = {
  order_id: 'string',
  total_items: 'int64',
  order_date: 'timestamp',
  customer_id: 'string',
  email: 'string',
  order_channel: 'string',
  is_expedited: 'bool',
  customer_tier: 'string',
  gross_total: 'decimal(18,2)',
  net_total: 'decimal(18,2)',
  total_discount_amount: 'decimal(18,2)',
  payment_method: 'string',
  shipping_speed: 'string',
  shipping_cost: 'decimal(18,2)',
  agent_id: 'string',
  actual_shipping_cost: 'decimal(18,2)',
  payment_processing_fee: 'decimal(18,2)',
  shipping_address: 'string',
  billing_address: 'string',
  clv_bucket: 'string',
  is_reactivated: 'bool',
} as const satisfies Columns;

export const CUSTOMER_COLUMNS = {
  customer_id: 'string',
  first_name: 'string',
  last_name: 'string',
  email: 'string',
  phone_number: 'string',
  signup_date: 'date',
  gender: 'string',
  age: 'decimal(10,2)',
  is_guest: 'bool',
  customer_status: 'string',
  signup_channel: 'string',
  loyalty_tier: 'string',
  initial_loyalty_tier: 'string',
  email_verified: 'bool',
  marketing_opt_in: 'bool',
  mailing_address: 'string',
  billing_address: 'string',
  loyalty_enrollment_date: 'date',
  clv_bucket: 'string',
} as const satisfies Columns;

export function columnList(columns: Columns): readonly ColumnSchema[] {
  return Object.entries(columns).map(([name, type]) => ({ name, type }));
}

/** The columns but those named. */
export function without(columns: Columns, names: readonly string[]): Columns {
  return Object.fromEntries(Object.entries(columns).filter(([name]) => !names.includes(name)));
}

export function pick(columns: Columns, names: readonly string[]): Columns {
  return Object.fromEntries(Object.entries(columns).filter(([name]) => names.includes(name)));
}

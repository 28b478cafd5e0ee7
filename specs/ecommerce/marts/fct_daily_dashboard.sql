/* @assay
description: The shop's figures of each day, with their rolling means.
grain: [metric_date]
partition_key: metric_date
columns:
  - {name: metric_date, type: date}
  - {name: orders_count, type: int64}
  - {name: gross_revenue, type: "decimal(18,2)"}
  - {name: net_revenue, type: "decimal(18,2)"}
  - {name: avg_order_value, type: "decimal(18,6)", description: "net revenue / orders, 0 without orders"}
  - {name: carts_created, type: int64}
  - {name: cart_conversion_rate, type: "decimal(18,6)", description: orders / carts}
  - {name: returns_count, type: int64}
  - {name: return_rate, type: "decimal(18,6)", description: returns / orders}
  - {name: refund_total, type: "decimal(18,2)"}
  - {name: revenue_7d_avg, type: "decimal(18,6)", description: net revenue over the days present of the last 7 calendar days}
  - {name: revenue_30d_avg, type: "decimal(18,6)"}
  - {name: revenue_30d_std, type: "decimal(18,6)", description: sample deviation; null under two days}
  - {name: revenue_anomaly_flag, type: string, description: HIGH or LOW beyond two deviations of the 30-day mean}
checks:
  - {id: known_flag, column: revenue_anomaly_flag, accepted_values: [HIGH, LOW, NORMAL], fail_if: "> 0"}
  - {id: rates_in_range, sql: cart_conversion_rate NOT BETWEEN 0 AND 1 OR return_rate NOT BETWEEN 0 AND 1, fail_if: "> 0"}
  - {id: average_adds_up, sql: orders_count > 0 AND ABS(avg_order_value * orders_count - net_revenue) > 0.000001 * orders_count, fail_if: "> 0"}
warehouse: {labels: {domain: management}}
metrics:
  time: metric_date
  measures:
    - {name: orders, sql: SUM(orders_count), description: number of orders}
    - {name: gross_revenue, sql: SUM(gross_revenue), format: "0.00"}
    - {name: net_revenue, sql: SUM(net_revenue), format: "0.00"}
    - {name: average_order_value, sql: "SAFE_DIVIDE(SUM(net_revenue), SUM(orders_count))", description: net revenue an order, format: "0.00"}
    - {name: orders_per_cart, sql: "SAFE_DIVIDE(SUM(orders_count), SUM(carts_created))", format: percent}
    - {name: returns_per_order, sql: "SAFE_DIVIDE(SUM(returns_count), SUM(orders_count))", format: percent}
    - {name: refunds, sql: SUM(refund_total), format: "0.00"}
    - {name: days, sql: COUNT(DISTINCT metric_date), description: days with figures}
  dimensions:
    - {name: anomaly, column: revenue_anomaly_flag}
    - {name: weekday, sql: "FORMAT_DATE('%A', metric_date)", description: in English}
@assay */
SELECT date AS metric_date, orders_count, gross_revenue, net_revenue, avg_order_value, carts_created, cart_conversion_rate,
       returns_count, return_rate, refund_total, revenue_7d_avg, revenue_30d_avg, revenue_30d_std, revenue_anomaly_flag
FROM enriched.int_daily_business_metrics
WHERE date >= @window_start AND date < @window_end

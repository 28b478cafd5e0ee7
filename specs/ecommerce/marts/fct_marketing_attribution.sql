/* @assay
description: Orders won back, carts and customers at risk per day and channel.
grain: [metric_date, channel]
partition_key: metric_date
cluster_by: [channel]
columns:
  - {name: metric_date, type: date}
  - {name: channel, type: string, description: "'all' counts customers, every other row orders and carts"}
  - {name: recovered_orders, type: int64, description: orders from a cart that had been left}
  - {name: total_orders, type: int64}
  - {name: abandoned_carts, type: int64}
  - {name: converted_carts, type: int64}
  - {name: abandoned_value, type: "decimal(18,2)"}
  - {name: avg_time_to_purchase_hours, type: "decimal(18,6)", description: mean over converted carts}
  - {name: at_risk_customers, type: int64, description: "in the danger zone in that day's snapshot; on the row 'all' alone, so that a sum over channels counts each once"}
  - {name: total_customers, type: int64, description: "in that day's snapshot; on the row 'all' alone"}
checks:
  - {id: recovered_within_orders, sql: recovered_orders > total_orders, fail_if: "> 0"}
  - {id: at_risk_within_customers, sql: at_risk_customers > total_customers, fail_if: "> 0"}
  - {id: customers_on_all_only, sql: channel <> 'all' AND total_customers <> 0, description: "Customers are counted on the row 'all' alone.", fail_if: "> 0"}
warehouse: {labels: {domain: marketing}}
metrics:
  time: metric_date
  measures:
    - {name: orders, sql: SUM(total_orders)}
    - {name: recovered_orders, sql: SUM(recovered_orders)}
    - {name: recovery_rate, sql: "SAFE_DIVIDE(SUM(recovered_orders), SUM(total_orders))", format: percent}
    - {name: abandoned_value, sql: SUM(abandoned_value), format: "0.00"}
  dimensions:
    - {name: channel}
@assay */
WITH parts AS (
  SELECT order_dt AS metric_date, IFNULL(order_channel, 'unknown') AS channel,
         COUNTIF(is_recovered) AS recovered_orders, COUNT(*) AS total_orders,
         0 AS abandoned_carts, 0 AS converted_carts, CAST(0 AS NUMERIC) AS abandoned_value,
         CAST(NULL AS NUMERIC) AS avg_time_to_purchase_hours,
         0 AS at_risk_customers, 0 AS total_customers
  FROM enriched.int_attributed_purchases
  WHERE order_dt >= @window_start AND order_dt < @window_end
  GROUP BY 1, 2
  UNION ALL
  SELECT cart_dt, cart_channel,
         0, 0,
         COUNTIF(cart_status = 'abandoned'), COUNTIF(cart_status = 'converted'), IFNULL(SUM(abandoned_value), 0),
         AVG(CAST(time_to_purchase_hours AS NUMERIC)),
         0, 0
  FROM enriched.int_cart_attribution
  WHERE cart_dt >= @window_start AND cart_dt < @window_end
  GROUP BY 1, 2
  UNION ALL
  SELECT ingest_dt, 'all',
         0, 0,
         0, 0, 0, NULL,
         COUNTIF(is_in_danger_zone), COUNT(*)
  FROM enriched.int_customer_retention_signals
  WHERE ingest_dt >= @window_start AND ingest_dt < @window_end
  GROUP BY 1
)
SELECT metric_date, channel,
       SUM(recovered_orders) AS recovered_orders, SUM(total_orders) AS total_orders,
       SUM(abandoned_carts) AS abandoned_carts, SUM(converted_carts) AS converted_carts,
       SUM(abandoned_value) AS abandoned_value,
       ROUND(MAX(avg_time_to_purchase_hours), 6) AS avg_time_to_purchase_hours,
       SUM(at_risk_customers) AS at_risk_customers, SUM(total_customers) AS total_customers
FROM parts
GROUP BY 1, 2

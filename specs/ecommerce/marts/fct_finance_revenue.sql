/* @assay
description: Revenue and shipping result per day and channel.
grain: [order_date, order_channel]
partition_key: order_date
cluster_by: [order_channel]
columns:
  - {name: order_date, type: date, description: day of the order}
  - {name: order_channel, type: string, description: unknown where the order names none}
  - {name: gross_revenue, type: "decimal(18,2)", description: sum of gross totals}
  - {name: net_revenue, type: "decimal(18,2)", description: sum of net totals}
  - {name: shipping_revenue, type: "decimal(18,2)", description: what customers paid for shipping}
  - {name: shipping_cost, type: "decimal(18,2)", description: what carriers charged}
  - {name: shipping_margin, type: "decimal(18,2)"}
checks:
  - {id: net_within_gross, sql: net_revenue > gross_revenue, description: Net revenue never exceeds gross revenue., fail_if: "> 0"}
  - {id: revenue_not_negative, sql: gross_revenue < 0 OR net_revenue < 0, fail_if: "> 0"}
warehouse: {labels: {domain: finance}}
metrics:
  time: order_date
  measures:
    - {name: gross_revenue, sql: SUM(gross_revenue), format: "0.00"}
    - {name: net_revenue, sql: SUM(net_revenue), format: "0.00"}
    - {name: discount_rate, sql: "SAFE_DIVIDE(SUM(gross_revenue) - SUM(net_revenue), SUM(gross_revenue))", description: share of gross revenue that discounts took, format: percent}
    - {name: shipping_revenue, sql: SUM(shipping_revenue), format: "0.00"}
    - {name: shipping_margin, sql: SUM(shipping_margin), format: "0.00"}
  dimensions:
    - {name: channel, column: order_channel}
@assay */
WITH revenue AS (
  SELECT order_dt AS order_date, IFNULL(order_channel, 'unknown') AS order_channel,
         SUM(gross_total) AS gross_revenue, SUM(net_total) AS net_revenue
  FROM enriched.int_regional_financials
  WHERE order_dt >= @window_start AND order_dt < @window_end
  GROUP BY 1, 2
),
shipping AS (
  SELECT order_dt AS order_date, IFNULL(order_channel, 'unknown') AS order_channel,
         SUM(shipping_cost) AS shipping_revenue, SUM(actual_shipping_cost) AS shipping_cost,
         SUM(shipping_margin) AS shipping_margin
  FROM enriched.int_shipping_economics
  WHERE order_dt >= @window_start AND order_dt < @window_end
  GROUP BY 1, 2
)
SELECT order_date, order_channel, gross_revenue, net_revenue, shipping_revenue, shipping_cost, shipping_margin
FROM revenue
FULL OUTER JOIN shipping USING (order_date, order_channel)

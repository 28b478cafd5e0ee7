/* @assay
description: Shipping revenue, cost and margin per day, channel and speed.
grain: [order_date, order_channel, shipping_speed]
partition_key: order_date
cluster_by: [order_channel]
columns:
  - {name: order_date, type: date, description: day of the order}
  - {name: order_channel, type: string, description: unknown where the order names none}
  - {name: shipping_speed, type: string, description: unknown where the order names none}
  - {name: orders, type: int64}
  - {name: shipping_revenue, type: "decimal(18,2)", description: what customers paid for shipping}
  - {name: shipping_cost, type: "decimal(18,2)", description: what carriers charged}
  - {name: shipping_margin, type: "decimal(18,2)"}
  - {name: shipping_margin_pct, type: "decimal(18,6)", description: mean over the orders that paid for shipping}
checks:
  - {id: margin_adds_up, sql: shipping_margin <> shipping_revenue - shipping_cost, description: "An order without one of the two amounts has no margin, but the other amount counts.", warn_if: "> 0"}
  - {id: has_orders, sql: orders < 1, description: A row stands for at least one order., fail_if: "> 0"}
warehouse: {labels: {domain: logistics}}
metrics:
  time: order_date
  measures:
    - {name: orders, sql: SUM(orders)}
    - {name: shipping_revenue, sql: SUM(shipping_revenue), format: "0.00"}
    - {name: shipping_cost, sql: SUM(shipping_cost), format: "0.00"}
    - {name: shipping_margin, sql: SUM(shipping_margin), format: "0.00"}
    - {name: shipping_margin_rate, sql: "SAFE_DIVIDE(SUM(shipping_margin), SUM(shipping_revenue))", description: of all that customers paid for shipping, format: percent}
  dimensions:
    - {name: channel, column: order_channel}
    - {name: speed, column: shipping_speed}
@assay */
SELECT order_dt AS order_date,
       IFNULL(order_channel, 'unknown') AS order_channel,
       IFNULL(shipping_speed, 'unknown') AS shipping_speed,
       COUNT(*) AS orders,
       SUM(shipping_cost) AS shipping_revenue,
       SUM(actual_shipping_cost) AS shipping_cost,
       SUM(shipping_margin) AS shipping_margin,
       ROUND(AVG(shipping_margin_pct), 6) AS shipping_margin_pct
FROM enriched.int_shipping_economics
WHERE order_dt >= @window_start AND order_dt < @window_end
GROUP BY 1, 2, 3

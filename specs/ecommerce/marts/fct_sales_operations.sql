/* @assay
description: Sales velocity, stock risk and margin per product and day of sale.
grain: [product_id, order_date]
partition_key: order_date
cluster_by: [product_id]
reads:
  enriched.int_product_performance: same_day
  enriched.int_inventory_risk: next_snapshot
columns:
  - {name: order_date, type: date}
  - {name: product_id, type: int64}
  - {name: sales_velocity_7d, type: "decimal(18,6)", description: mean units a day with sales over the seven days that end here}
  - {name: trend_signal, type: string, description: "UP, DOWN or STABLE against that mean"}
  - {name: inventory_quantity, type: int64, description: "in that day's snapshot, else the next later one"}
  - {name: inventory_risk_tier, type: string, description: of the same snapshot}
  - {name: gross_profit, type: "decimal(18,2)"}
  - {name: net_margin, type: "decimal(18,2)"}
  - {name: return_rate, type: "decimal(18,6)"}
checks:
  - {id: known_trend, column: trend_signal, accepted_values: [UP, DOWN, STABLE], fail_if: "> 0"}
  - {id: known_tier, column: inventory_risk_tier, accepted_values: [HIGH, MODERATE, HEALTHY], fail_if: "> 0"}
  - {id: margin_within_profit, sql: net_margin > gross_profit, description: Refunds only lower the margin., fail_if: "> 0"}
  - {id: velocity_positive, sql: sales_velocity_7d <= 0, warn_if: "> 0"}
@assay */
WITH velocity AS (
  SELECT product_id, order_dt, velocity_avg, trend_signal
  FROM enriched.int_sales_velocity
  WHERE order_dt >= @window_start AND order_dt < @window_end
),
snapshot_of_day AS (
  SELECT days.order_dt, MIN(snapshots.ingest_dt) AS ingest_dt
  FROM (SELECT DISTINCT order_dt FROM velocity) AS days
  JOIN (SELECT DISTINCT ingest_dt FROM enriched.int_inventory_risk) AS snapshots ON snapshots.ingest_dt >= days.order_dt
  GROUP BY 1
)
SELECT v.order_dt AS order_date, v.product_id,
       v.velocity_avg AS sales_velocity_7d, v.trend_signal,
       i.inventory_quantity, i.risk_tier AS inventory_risk_tier,
       p.gross_profit, p.net_margin, p.return_rate
FROM velocity AS v
LEFT JOIN snapshot_of_day AS s ON s.order_dt = v.order_dt
LEFT JOIN enriched.int_inventory_risk AS i ON i.ingest_dt = s.ingest_dt AND i.product_id = v.product_id
LEFT JOIN enriched.int_product_performance AS p ON p.product_dt = v.order_dt AND p.product_id = v.product_id

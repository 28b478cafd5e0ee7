/* @assay
description: Units, revenue and margin per product and day.
grain: [product_id, product_date]
partition_key: product_date
cluster_by: [product_id]
columns:
  - {name: product_date, type: date, description: day of the sale; of a return the day of its order}
  - {name: product_id, type: int64}
  - {name: units_sold, type: int64}
  - {name: units_returned, type: int64}
  - {name: gross_revenue, type: "decimal(18,2)"}
  - {name: net_revenue, type: "decimal(18,2)", description: gross revenue less refunds}
  - {name: gross_profit, type: "decimal(18,2)", description: "(price - cost) * units"}
  - {name: net_margin, type: "decimal(18,2)", description: gross profit less refunds}
  - {name: return_rate, type: "decimal(18,6)", description: units returned / units sold}
  - {name: margin_pct, type: "decimal(18,6)", description: net margin / gross revenue}
checks:
  - {id: refund_is_one_amount, sql: gross_revenue - net_revenue <> gross_profit - net_margin, description: Revenue and margin are lowered by the same refund., fail_if: "> 0"}
  - {id: units_not_negative, sql: units_sold < 0 OR units_returned < 0, fail_if: "> 0"}
  - {id: rate_needs_sales, sql: units_sold = 0 AND return_rate IS NOT NULL, fail_if: "> 0"}
warehouse: {labels: {domain: merchandise}}
metrics:
  time: product_date
  measures:
    - {name: units_sold, sql: SUM(units_sold)}
    - {name: units_returned, sql: SUM(units_returned)}
    - {name: gross_revenue, sql: SUM(gross_revenue), format: "0.00"}
    - {name: net_revenue, sql: SUM(net_revenue), format: "0.00"}
    - {name: net_margin, sql: SUM(net_margin), format: "0.00"}
    - {name: margin_rate, sql: "SAFE_DIVIDE(SUM(net_margin), SUM(gross_revenue))", format: percent}
    - {name: return_rate, sql: "SAFE_DIVIDE(SUM(units_returned), SUM(units_sold))", format: percent}
    - {name: products, sql: COUNT(DISTINCT product_id), description: products with a sale or a return}
  dimensions:
    - {name: product, column: product_id}
@assay */
SELECT product_dt AS product_date, product_id, units_sold, units_returned, gross_revenue, net_revenue,
       gross_profit, net_margin, return_rate, margin_pct
FROM enriched.int_product_performance
WHERE product_dt >= @window_start AND product_dt < @window_end

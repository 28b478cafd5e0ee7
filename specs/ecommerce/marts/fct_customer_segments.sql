/* @assay
description: Customers by segment and value bucket, as of the latest snapshot.
grain: [customer_segment, predicted_clv_bucket, actual_clv_bucket]
reads: {enriched.int_customer_lifetime_value: latest_snapshot}
columns:
  - {name: customer_segment, type: string, description: "churned, one-timer, whale or regular"}
  - {name: predicted_clv_bucket, type: string, description: at sign-up; unknown where none was given}
  - {name: actual_clv_bucket, type: string, description: by net lifetime value}
  - {name: customer_count, type: int64}
  - {name: avg_net_clv, type: "decimal(18,6)"}
  - {name: avg_order_value, type: "decimal(18,6)", description: mean of the customers' means}
  - {name: avg_total_spent, type: "decimal(18,6)"}
checks:
  - {id: known_segment, column: customer_segment, accepted_values: [churned, one-timer, whale, regular], fail_if: "> 0"}
  - {id: has_customers, sql: customer_count < 1, fail_if: "> 0"}
  - {id: net_within_spent, sql: avg_net_clv > avg_total_spent, description: Refunds only lower the value of a customer., fail_if: "> 0"}
warehouse: {labels: {domain: marketing}}
metrics:
  measures:
    - {name: customers, sql: SUM(customer_count)}
    - {name: average_net_clv, sql: "SAFE_DIVIDE(SUM(avg_net_clv * customer_count), SUM(customer_count))", description: mean over customers, format: "0.00"}
  dimensions:
    - {name: segment, column: customer_segment}
    - {name: predicted_value, column: predicted_clv_bucket}
    - {name: actual_value, column: actual_clv_bucket}
@assay */
SELECT customer_segment,
       IFNULL(predicted_clv_bucket, 'unknown') AS predicted_clv_bucket,
       actual_clv_bucket,
       COUNT(*) AS customer_count,
       ROUND(AVG(net_clv), 6) AS avg_net_clv,
       ROUND(AVG(c.avg_order_value), 6) AS avg_order_value,
       ROUND(AVG(total_spent), 6) AS avg_total_spent
FROM enriched.int_customer_lifetime_value AS c
WHERE ingest_dt = (SELECT MAX(ingest_dt) FROM enriched.int_customer_lifetime_value)
GROUP BY 1, 2, 3

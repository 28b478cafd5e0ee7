/* @assay
description: Carts per day and channel, how many became orders, and what the abandoned ones were worth.
grain: [cart_date, channel]
partition_key: cart_date
cluster_by: [channel]
columns:
  - {name: cart_date, type: date, description: day on which the cart was created}
  - {name: channel, type: string, description: "channel of the cart's order, else of the customer's last earlier order, else of the sign-up"}
  - {name: abandoned_carts, type: int64}
  - {name: converted_carts, type: int64}
  - {name: conversion_rate, type: "decimal(18,6)", description: "converted carts / all carts, the empty ones included"}
  - {name: abandoned_value, type: "decimal(18,2)", description: 0 where no cart was abandoned}
  - {name: avg_time_to_purchase_hours, type: "decimal(18,6)", description: mean over converted carts}
checks:
  - {id: rate_in_range, sql: conversion_rate < 0 OR conversion_rate > 1, fail_if: "> 0"}
  - {id: rate_needs_conversion, sql: (converted_carts = 0) <> (conversion_rate = 0), fail_if: "> 0"}
  - {id: value_needs_abandoned, sql: abandoned_carts = 0 AND abandoned_value <> 0, fail_if: "> 0"}
warehouse: {labels: {domain: marketing}}
metrics:
  time: cart_date
  measures:
    - {name: abandoned_carts, sql: SUM(abandoned_carts)}
    - {name: converted_carts, sql: SUM(converted_carts)}
    - {name: abandoned_value, sql: SUM(abandoned_value), format: "0.00"}
    - {name: value_per_abandoned_cart, sql: "SAFE_DIVIDE(SUM(abandoned_value), SUM(abandoned_carts))", format: "0.00"}
  dimensions:
    - {name: channel}
@assay */
SELECT cart_dt AS cart_date,
       cart_channel AS channel,
       COUNTIF(cart_status = 'abandoned') AS abandoned_carts,
       COUNTIF(cart_status = 'converted') AS converted_carts,
       ROUND(CAST(COUNTIF(cart_status = 'converted') AS NUMERIC) / COUNT(*), 6) AS conversion_rate,
       IFNULL(SUM(abandoned_value), 0) AS abandoned_value,
       ROUND(AVG(CAST(time_to_purchase_hours AS NUMERIC)), 6) AS avg_time_to_purchase_hours
FROM enriched.int_cart_attribution
WHERE cart_dt >= @window_start AND cart_dt < @window_end
GROUP BY 1, 2

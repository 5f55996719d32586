-- The projections that stand still by order.
SELECT projection FROM paused

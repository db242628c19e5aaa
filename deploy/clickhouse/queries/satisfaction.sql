-- Whether predicted satisfaction can be believed: by fifths of the prediction, how many outcomes, the mean prediction, the mean
-- rating with its standard error, and, in each row, the error over all (mean absolute difference, weighted by how many).
WITH bins AS
(
    SELECT
        least(floor(predicted * 5), 4) / 5 AS from_share,
        count() AS outcomes,
        avg(predicted) AS predicted_mean,
        avg(rating) AS rated_mean,
        stddevSamp(rating) / sqrt(count()) AS standard_error
    FROM satisfaction
    GROUP BY from_share
)
SELECT
    *,
    sum(outcomes * abs(predicted_mean - rated_mean)) OVER () / sum(outcomes) OVER () AS calibration_error
FROM bins
ORDER BY from_share

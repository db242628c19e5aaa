-- Incidents of the last 28 days as they stand, those that go on first: what, since when, how many, against what that hour of the week
-- usually brings (messages a minute; of slow ones a day), and the alerts that they gathered.
SELECT
    id,
    any(kind) AS kind,
    argMax(state, place) AS state,
    min(opened_at) AS opened_at,
    argMax(closed_at, place) AS closed_at,
    argMax(messages, place) AS messages,
    argMax(customers, place) AS customers,
    max(peak) AS peak,
    argMax(usual.rate, place) AS usual_rate,
    argMax(usual.high, place) AS usual_at_most,
    argMax(phrases, place) AS phrases,
    argMax(languages, place) AS languages,
    argMax(examples, place) AS examples,
    argMax(rang, place) AS rang,
    uniqExactArray(alerts.group) AS gathered
FROM
(
    SELECT *, (received_at, _offset) AS place FROM incidents
    WHERE kind != 'budget' AND received_at > now() - INTERVAL 28 DAY
)
GROUP BY id
ORDER BY state = 'closed', opened_at DESC

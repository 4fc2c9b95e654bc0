package bunstore

import (
	"strings"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/ports/store"
)

// What becomes of a challenge's message is hardly ever written down with the
// challenge, a row that its answer is about to change: a message that was sent is
// deleted, and that it is gone says it. So delivery "queued" asks the queue for
// the newest message, and what waits for a message that was never queued, which
// no use case does, is kept apart as "unsent".
const unsent = "unsent"

// newestText is true if the newest message of challenge c is in the queue.
const newestText = "EXISTS (SELECT 1 FROM messages q WHERE q.handle = c.handle AND q.number = c.sends)"

// told makes a list of the columns of challenge c tell what became of its message.
func told(list string) string {
	return strings.Replace(list, "c.delivery", "CASE WHEN c.delivery = '"+unsent+"' THEN '"+string(challenge.Queued)+
		"' WHEN c.delivery = '"+string(challenge.Queued)+"' AND NOT "+newestText+" THEN '"+string(challenge.Sent)+"' ELSE c.delivery END", 1)
}

// fromStart is the row of a challenge that begins.
func fromStart(in store.Start) *challengeRow {
	row := fromChallenge(in.Challenge)
	if in.Message == nil && row.Delivery == string(challenge.Queued) {
		row.Delivery = unsent
	}
	return row
}

// keptDelivery is the value of delivery when a challenge is saved: what asked the
// queue goes on to do so, whatever became of the message since it was read.
const keptDelivery = "CASE WHEN ? = '" + string(challenge.Queued) + "' AND c.delivery <> '" + string(challenge.Queued) +
	"' AND NOT EXISTS (SELECT 1 FROM messages q WHERE q.handle = c.handle AND q.number = ?) THEN '" + unsent + "' ELSE ? END"

// queuedText lets a challenge ask the queue for the message that is in it now.
const queuedText = "UPDATE challenges SET delivery = '" + string(challenge.Queued) + "' WHERE handle = $1 AND tenant = $2 AND sends = $3 AND delivery = '" + unsent + "'"

package eventtest_test

import (
	"testing"

	port "github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/event/eventtest"
)

func TestTheRecorderIsAPublisher(t *testing.T) {
	eventtest.Run(t, func(testing.TB) eventtest.Subject {
		r := &eventtest.Recorder{}
		return eventtest.Subject{Publisher: port.Publishers{r}, Told: func() (ids []string) {
			for _, e := range r.All() {
				ids = append(ids, e.ID)
			}
			return ids
		}}
	})
}

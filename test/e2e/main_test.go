// Package e2e_test runs the acceptance scenarios against the built program, on
// SQLite and on PostgreSQL. A test has the number of its scenario.
package e2e_test

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/countersign/countersign/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// People of these stories. Every test has a server of its own, so they do not meet.
const (
	ann     = "ann@example.com"
	bob     = "bob@example.com"
	eve     = "eve@example.com"
	anns    = "+31612345678" // phone
	patient = 10 * time.Second
)

// quick is a policy that makes no one wait.
const quick = `challenge: { resend_after: 0s }
throttle: { free: 20 }
`

// both runs a scenario on each database, with a server of its own.
func both(t *testing.T, policy string, scenario func(t *testing.T, s *harness.Server, c *harness.Client)) {
	t.Helper()
	served(t, harness.Options{Policy: policy}, scenario)
}

// served is both for servers that need more than a policy.
func served(t *testing.T, o harness.Options, scenario func(t *testing.T, s *harness.Server, c *harness.Client)) {
	t.Helper()
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		o := o
		o.Store = store
		s := harness.Start(t, o)
		scenario(t, s, s.Client(t))
	})
}

// twoTenants has a second tenant, t2, beside the default one.
const twoTenants = "tenants: [ { slug: t2, origins: [\"http://t2.localhost\"] } ]"

// at is the client as somebody of another tenant.
func at(c *harness.Client, tenant string) *harness.Client {
	return c.With("Countersign-Tenant", tenant)
}

// races runs a scenario on each database, and on two servers that share one.
func races(t *testing.T, policy string, scenario func(t *testing.T, c *harness.Client)) {
	t.Helper()
	both(t, policy, func(t *testing.T, _ *harness.Server, c *harness.Client) { scenario(t, c) })
	t.Run("two servers", func(t *testing.T) {
		t.Parallel()
		s := harness.Start(t, harness.Options{Store: harness.Postgres(t), Policy: policy})
		s.Replica(t)
		scenario(t, s.Client(t))
	})
}

// together makes n requests at the same moment and gives the answers. Requests
// go to the servers in turn.
func together(t *testing.T, n int, request func(i int) (harness.Answer, error)) []harness.Answer {
	t.Helper()
	answers, errs := make([]harness.Answer, n), make([]error, n)
	start := make(chan struct{})
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			<-start
			answers[i], errs[i] = request(i)
		})
	}
	close(start)
	done.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("a request failed: %v", err)
		}
	}
	return answers
}

// signedIn keeps the answers that gave tokens.
func signedIn(all []harness.Answer) []harness.Answer {
	return slices.DeleteFunc(slices.Clone(all), func(a harness.Answer) bool {
		return a.Status != http.StatusOK || a.Text("access_token") == ""
	})
}

// healthy fails the test if any answer is an accident.
func healthy(t *testing.T, all []harness.Answer) {
	t.Helper()
	for _, a := range all {
		if a.Status >= http.StatusInternalServerError {
			t.Errorf("%s", a)
		}
	}
}

// tally counts answers by their problem code, or their status if it is none.
func tally(all []harness.Answer) map[string]int {
	out := map[string]int{}
	for _, a := range all {
		key := a.Code()
		if key == "" {
			key = fmt.Sprint(a.Status)
		}
		out[key]++
	}
	return out
}

// wrong is another code of the same form.
func wrong(code string) string {
	last := code[len(code)-1]
	other := byte('0')
	if last >= '0' && last < '9' {
		other = last + 1
	}
	return code[:len(code)-1] + string(other)
}

// answer is the body of an answer to a challenge.
func answer(code string) map[string]string { return map[string]string{"code": code} }

// claims reads an access token without checking it.
func claims(t *testing.T, access string) (out struct {
	ACR string   `json:"acr"`
	AMR []string `json:"amr"`
	Sub string   `json:"sub"`
}) {
	t.Helper()
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		t.Fatalf("an access token has %d parts, want 3", len(parts))
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(body, &out)
	}
	if err != nil {
		t.Fatalf("read an access token: %v", err)
	}
	return out
}

// unsent shows that nothing more than n messages went to an address: another
// message, asked for later, has arrived.
func unsent(t *testing.T, c *harness.Client, to string, n int) {
	t.Helper()
	fence := fmt.Sprintf("fence%d@example.com", time.Now().UnixNano())
	c.As("").StartChallenge(fence)
	c.Code(fence)
	if got := len(c.Messages(to)); got != n {
		t.Errorf("%d messages went to %s, want %d", got, to, n)
	}
}

// waitFor polls until the condition holds.
func waitFor(t *testing.T, patience time.Duration, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after %s still not: %s", patience, what)
		}
	}
}

// database opens the database behind a server.
func database(t *testing.T, store harness.Store) *sql.DB {
	t.Helper()
	driver, url := "pgx", store.URL
	if path, ok := strings.CutPrefix(store.URL, "sqlite://"); ok {
		driver, url = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// block keeps somebody out, as an operator does.
func block(t *testing.T, s *harness.Server, user string) {
	t.Helper()
	if got := operate(t, s, "user", "block", user, "--reason", "a test", "--yes"); got.code != 0 {
		t.Fatalf("user block: exit code %d: %s", got.code, got.err)
	}
}

// dump is everything that a database holds: for SQLite the bytes of its files,
// for PostgreSQL every row of every table as text.
func dump(t *testing.T, store harness.Store) string {
	t.Helper()
	var out strings.Builder
	if path, ok := strings.CutPrefix(store.URL, "sqlite://"); ok {
		for _, end := range []string{"", "-wal", "-shm"} {
			text, err := os.ReadFile(path + end)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			out.Write(text)
		}
		return out.String()
	}
	db := database(t, store)
	for _, table := range column(t, db, "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')") {
		for _, row := range column(t, db, "SELECT t::text FROM "+table+" t") {
			out.WriteString(row + "\n")
		}
	}
	return out.String()
}

func column(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

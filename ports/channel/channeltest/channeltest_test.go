package channeltest_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

type suite func(*testing.T, bug) channeltest.Suite

func TestGoodChannelsPass(t *testing.T) {
	for name, make := range map[string]suite{"pager": pagerSuite, "token": tokenSuite, "sheet": sheetSuite, "badge": badgeSuite, "desk": deskSuite, "bell": bellSuite} {
		t.Run(name, func(t *testing.T) { channeltest.Run(t, make(t, "")) })
	}
}

// seeded lists one bug after the other, and the check that must notice it.
func seeded() map[bug]struct {
	suite suite
	check string
} {
	type row = struct {
		suite suite
		check string
	}
	return map[bug]row{
		"unregistered method":              {pagerSuite, "descriptor"},
		"title case type":                  {pagerSuite, "descriptor"},
		"kind of address of its own":       {pagerSuite, "descriptor"},
		"sender to accounts":               {pagerSuite, "descriptor"},
		"e-mail at AAL2":                   {pagerSuite, "descriptor"},
		"broken config accepted":           {pagerSuite, "config"},
		"unknown config key accepted":      {tokenSuite, "config"},
		"deliver not set":                  {pagerSuite, "enroll and authenticate"},
		"unknown prompt":                   {badgeSuite, "enroll and authenticate"},
		"ref unstable":                     {badgeSuite, "enroll and authenticate"},
		"ref forgotten":                    {badgeSuite, "enroll and authenticate"},
		"ref missing for strangers":        {badgeSuite, "enroll and authenticate"},
		"bound at once to nothing":         {sheetSuite, "enroll and authenticate"},
		"any code accepted":                {pagerSuite, "wrong response"},
		"no code accepted":                 {pagerSuite, "wrong response"},
		"error in place of a verdict":      {pagerSuite, "wrong response"},
		"error about strange data":         {pagerSuite, "wrong response"},
		"rejected without reason":          {pagerSuite, "wrong response"},
		"refusal with a credential":        {tokenSuite, "wrong response"},
		"panics on a broken credential":    {tokenSuite, "garbage in storage"},
		"step not stored":                  {tokenSuite, "response cannot be replayed"},
		"step not compared":                {tokenSuite, "response cannot be replayed"},
		"recovery code reusable":           {sheetSuite, "response cannot be replayed"},
		"nonce unchecked":                  {badgeSuite, "response cannot be replayed"},
		"credential changed in place":      {tokenSuite, "inputs are left alone"},
		"state changed in place":           {tokenSuite, "inputs are left alone"},
		"code logged":                      {pagerSuite, "codes stay secret"},
		"address logged":                   {pagerSuite, "codes stay secret"},
		"code in state":                    {pagerSuite, "codes stay secret"},
		"hash of code in state":            {pagerSuite, "codes stay secret"},
		"code in prompt":                   {pagerSuite, "codes stay secret"},
		"setup secret logged":              {tokenSuite, "codes stay secret"},
		"token announced":                  {pagerSuite, "codes stay secret"},
		"something else announced":         {pagerSuite, "codes stay secret"},
		"chance not injected":              {tokenSuite, "chance is injected"},
		"prompt of fixed length":           {pagerSuite, "prompt follows the policy"},
		"prompt tells strangers apart":     {pagerSuite, "prompt follows the policy"},
		"code changes on resend":           {pagerSuite, "resend"},
		"begin ignores cancellation":       {pagerSuite, "cancelled context"},
		"send ignores cancellation":        {pagerSuite, "cancelled context"},
		"empty callback handle accepted":   {badgeSuite, "garbage callbacks"},
		"callback blames the provider":     {badgeSuite, "garbage callbacks"},
		"nothing is brought":               {badgeSuite, "forged callbacks"},
		"sum unchecked":                    {badgeSuite, "forged callbacks"},
		"anybody may ring":                 {bellSuite, "forged callbacks"},
		"no header is as good":             {bellSuite, "forged callbacks"},
		"header compared in part":          {bellSuite, "forged callbacks"},
		"forged is irrelevant":             {bellSuite, "forged callbacks"},
		"data not sealed":                  {bellSuite, "forged callbacks"},
		"seal unchecked":                   {bellSuite, "forged callbacks"},
		"no seal is as good":               {bellSuite, "forged callbacks"},
		"half the data sealed":             {bellSuite, "forged callbacks"},
		"nothing to prove":                 {bellSuite, "forged callbacks"},
		"unsigned report believed":         {pagerSuite, "garbage reports"},
		"report blames the provider":       {pagerSuite, "garbage reports"},
		"goroutine left running":           {pagerSuite, "nothing is left running"},
		"send ignores the deadline":        {pagerSuite, "when the provider/hangs"},
		"500 taken for success":            {pagerSuite, "when the provider/is broken"},
		"429 swallowed":                    {pagerSuite, "when the provider/is busy"},
		"401 taken for an outage":          {pagerSuite, "when the provider/refuses us"},
		"error quotes the provider":        {pagerSuite, "when the provider/"},
		"answer read without end":          {pagerSuite, "when the provider/never stops talking"},
		"probe ignores cancellation":       {pagerSuite, "cancelled context"},
		"probe ignores the deadline":       {pagerSuite, "when the provider/hangs while we probe"},
		"probe takes an outage for health": {pagerSuite, "when the provider/is broken while we probe"},
		"probe quotes the token":           {pagerSuite, "when the provider/hangs up while we probe"},
		"import takes anything":            {tokenSuite, "devices from elsewhere"},
		"import refuses everything":        {tokenSuite, "devices from elsewhere"},
		"import shows the secret":          {tokenSuite, "devices from elsewhere"},
		"import shares memory":             {tokenSuite, "devices from elsewhere"},
		"import logs the secret":           {tokenSuite, "devices from elsewhere"},
		"claims to cost nothing":           {deskSuite, "descriptor"},
		"no preview":                       {deskSuite, "what costs"},
		"preview reaches somebody":         {deskSuite, "what costs/preview"},
		"preview promises another":         {deskSuite, "what costs/preview"},
		"preview tells strangers apart":    {deskSuite, "what costs/preview"},
		"preview shows a secret":           {deskSuite, "what costs/preview"},
		"delivered besides":                {deskSuite, "what costs/preview"},
		"reached twice":                    {deskSuite, "what costs/preview"},
		"second round reaches nobody":      {deskSuite, "what costs/resend"},
		"accepted twice":                   {deskSuite, "what costs/single use"},
		"used code is an error":            {deskSuite, "what costs/single use"},
		"throttle taken for a mismatch":    {deskSuite, "when the provider/is busy while we verify"},
		"throttle swallowed beginning":     {deskSuite, "when the provider/is busy while we begin"},
		"outage taken for a mismatch":      {deskSuite, "when the provider/is broken while we verify"},
		"nonsense taken for a beginning":   {deskSuite, "when the provider/talks nonsense while we begin"},
		"nonsense taken for a mismatch":    {deskSuite, "when the provider/talks nonsense while we verify"},
		"silence taken for a beginning":    {deskSuite, "when the provider/says nothing while we begin"},
		"silence taken for a mismatch":     {deskSuite, "when the provider/says nothing while we verify"},
		"typed code in an error":           {deskSuite, "when the provider/hangs up while we verify"},
		"judged without the provider":      {deskSuite, "when the provider/is broken while we verify"},
	}
}

func TestEverySeededBugIsNoticedByItsCheck(t *testing.T) {
	for b, row := range seeded() {
		t.Run(string(b), func(t *testing.T) {
			t.Parallel()
			s := row.suite(t, b)
			if !strings.HasPrefix(row.check, "when") {
				s.Provider = nil
			}
			failures := channeltest.Failures(t, s)
			for _, f := range failures {
				if strings.HasPrefix(f, row.check) {
					return
				}
			}
			t.Errorf("the check %q did not notice; what failed: %q", row.check, failures)
		})
	}
}

func TestWhatCannotBeIsSaidOnce(t *testing.T) {
	for b, want := range map[bug]string{"kind of address of its own": "There are Phone, Email, NoAddress and Account", "sender to accounts": "nobody could enrol"} {
		s := pagerSuite(t, b)
		if got := channeltest.Failures(t, s); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q", b, got)
		}
	}
}

func TestSecretsMayComeFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	name, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	var cfg pagerConfig
	if err := channeltest.Decoder(`{"token_file":` + string(name) + `}`)(&cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.Token.Reveal() != "from a file" {
		t.Errorf("the token is %q", cfg.Token.Reveal())
	}
}

func TestDecoderReportsEveryProblem(t *testing.T) {
	err := channeltest.Decoder(`{"kind":"silent","wait":"2m","nonsense":1}`)(&pagerConfig{})
	for _, want := range []string{"kind", "wait", "nonsense"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported: %v", want, err)
		}
	}
}

func TestSchemaSaysWhatTheDecoderEnforces(t *testing.T) {
	n := channeltest.Schema(pager(""))
	wait, kind := n.Properties["wait"], n.Properties["kind"]
	if wait.Default != "5s" || wait.Pattern == "" || len(kind.Enum) != 2 || kind.Default != "loud" {
		t.Errorf("wait %+v, kind %+v", wait, kind)
	}
	if _, ok := n.Properties["token_file"]; !ok || n.Additional != false {
		t.Error("token_file or strictness is missing")
	}
}

func FuzzVerifyOfAToken(f *testing.F) { channeltest.FuzzVerify(f, tokenSuite(nil, "")) }

func FuzzReceiveOfABadge(f *testing.F) { channeltest.FuzzReceive(f, badgeSuite(nil, "")) }

func FuzzTrackOfAPager(f *testing.F) {
	channeltest.FuzzTrack(f, channeltest.Suite{Plugin: pager(""), Config: `{"gateway":"https://pager.example","token":"top-secret-token"}`})
}

func TestFailuresOfAPluginThatDoesNotOpen(t *testing.T) {
	broken := channel.Define(channel.Descriptor{Type: "broken", Title: "Broken", Summary: "No.", Factor: channel.Possession},
		func() none { return none{} }, func(context.Context, none, channel.Env) (channel.Channel, error) { return nil, channel.ErrRefused })
	if len(channeltest.Failures(t, channeltest.Suite{Plugin: broken})) == 0 {
		t.Error("nothing failed")
	}
}

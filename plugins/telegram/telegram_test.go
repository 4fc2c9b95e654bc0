package telegram_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/telegram"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// token is nobody's.
const token = "123456789:TEST-TOKEN-NOT-A-REAL-SECRET-0000001"

func config(bot string) string { return fmt.Sprintf(`{"bot_token":%q,"bot_name":"example_bot"}`, bot) }

// sign plays Telegram: it signs fields with a key.
func sign(key []byte, fields map[string]string) string {
	lines := make([]string, 0, len(fields))
	for name, value := range fields {
		if name != "hash" {
			lines = append(lines, name+"="+value)
		}
	}
	slices.Sort(lines)
	m := hmac.New(sha256.New, key)
	m.Write([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(m.Sum(nil))
}

func widgetKey(bot string) []byte {
	sum := sha256.Sum256([]byte(bot))
	return sum[:]
}

func appKey(bot string) []byte {
	m := hmac.New(sha256.New, []byte("WebAppData"))
	m.Write([]byte(bot))
	return m.Sum(nil)
}

// handed is what the widget hands over, with changes before it is signed.
func handed(at time.Time, changes map[string]string) map[string]string {
	fields := map[string]string{"id": "42", "first_name": "Ada", "last_name": "Lovelace", "username": "ada", "auth_date": strconv.FormatInt(at.Unix(), 10)}
	maps.Copy(fields, changes)
	fields["hash"] = sign(widgetKey(token), fields)
	return fields
}

func encode(tb testing.TB, v any) json.RawMessage {
	tb.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func suite() channeltest.Suite {
	return channeltest.Suite{
		Plugin: telegram.Plugin(), Config: config(token),
		Respond: func(tb testing.TB, s channeltest.Scene) channel.Response {
			return channel.Response{Data: encode(tb, handed(s.Clock.Now(), nil))}
		},
		Lie: func(tb testing.TB, s channeltest.Scene) channel.Response {
			fields := handed(s.Clock.Now(), nil)
			fields["id"] = "43"
			return channel.Response{Data: encode(tb, fields)}
		},
		Broken: map[string]string{
			"nothing": `{}`, "no name": fmt.Sprintf(`{"bot_token":%q}`, token), "a name with @": fmt.Sprintf(`{"bot_token":%q,"bot_name":"@x"}`, token),
			"half a token": `{"bot_token":"123456789","bot_name":"x"}`, "hours of life": fmt.Sprintf(`{"bot_token":%q,"bot_name":"x","max_age":"9h"}`, token),
		},
	}
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite()) }

func FuzzVerify(f *testing.F) { channeltest.FuzzVerify(f, suite()) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, telegram.Plugin()) }

// at judges what was handed over at a moment.
func at(t *testing.T, bot string, now int64, data json.RawMessage) channel.Verdict {
	t.Helper()
	ch, err := telegram.Plugin().Open(t.Context(), channeltest.Decoder(config(bot)), channel.Env{Now: func() time.Time { return time.Unix(now, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	v, err := ch.Verify(t.Context(), channel.Challenge{}, nil, channel.Response{Data: data})
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

func TestPublishedSignatures(t *testing.T) { // V-6
	for _, x := range []struct {
		bot, data string
		now       int64
		want      channel.Identity
		ref       string
	}{
		{
			"777777777:" + strings.Repeat("a", 35),
			`{"id":666666666,"first_name":"Some","last_name":"Guy","username":"my_username","photo_url":"https://t.me/i/userpic/320/my_username.jpg","auth_date":1543194375,"hash":"a9cf12636fb07b54b4c95673d017a72364472c41a760b6850bcd5405da769f80"}`,
			1543194375, channel.Identity{FirstName: "Some", LastName: "Guy", Username: "my_username"}, "666666666",
		},
		{
			token, `{"id":42,"first_name":"Ada","auth_date":1700000000,"hash":"125f21fbb6b6f21ddf769c29a7ab549250eba444e9ecf13f5e9e8a9f5214106b"}`,
			1700000000, channel.Identity{FirstName: "Ada"}, "42",
		},
		{
			token,
			`{"auth_data":{"id":"42","first_name":"Ada","last_name":"Lovelace","username":"ada","photo_url":"https://t.me/i/userpic/320/ada.jpg","auth_date":"1700000000","hash":"AF3CE7FA080C7178F2A02E57C441C2216E5561A306F73C6800C52BB153843CCD"},"domain":"example.com"}`,
			1700000000, channel.Identity{FirstName: "Ada", LastName: "Lovelace", Username: "ada"}, "42",
		},
		{
			token,
			`{"id":987654321,"first_name":"Жанна","last_name":"O'Brien \u0026 Co","username":"zh_1","auth_date":1700000300,"hash":"01587bd5ec8bb6a2768783905dcde9f2cdcfd8df7e253c98ca1c5f0f3a37966a"}`,
			1700000300, channel.Identity{FirstName: "Жанна", LastName: "O'Brien & Co", Username: "zh_1"}, "987654321",
		},
	} {
		v := at(t, x.bot, x.now, json.RawMessage(x.data))
		x.want.Issuer = "https://telegram.org"
		if v.Outcome != channel.Verified || v.Ref != x.ref || *v.Identity != x.want || v.OnceKey == "" || v.OnceKey != strings.ToLower(v.OnceKey) {
			t.Errorf("%s: %s (%s) %+v", x.data, v.Outcome, v.Reason, v.Identity)
		}
	}
}

// initData is a Mini App's, V-7.
func initData() url.Values {
	return url.Values{
		"auth_date": {"1700000000"}, "query_id": {"AAE1"}, "user": {`{"id":42,"first_name":"Ada"}`},
		"hash": {"2e944ccc7b3ecca35b691d64d92310c1a367e32803d81cabd3d479c3ccf6a66a"},
	}
}

func app(t *testing.T, values url.Values) json.RawMessage {
	t.Helper()
	return encode(t, map[string]string{"init_data": values.Encode()})
}

func TestMiniApps(t *testing.T) { // V-7
	v := at(t, token, 1700000000, app(t, initData()))
	if v.Outcome != channel.Verified || v.Ref != "42" || v.Identity.FirstName != "Ada" {
		t.Fatalf("%s (%s) %+v", v.Outcome, v.Reason, v.Identity)
	}
	flat := map[string]string{}
	for name, values := range initData() {
		flat[name] = values[0]
	}
	if v := at(t, token, 1700000000, encode(t, flat)); v.Outcome != channel.Rejected {
		t.Error("a Mini App's fields passed for the widget's")
	}
	fields := handed(time.Unix(1700000000, 0), nil)
	asApp := url.Values{}
	for name, value := range fields {
		asApp.Set(name, value)
	}
	if v := at(t, token, 1700000000, app(t, asApp)); v.Outcome != channel.Rejected {
		t.Error("the widget's fields passed for a Mini App's")
	}
	both := encode(t, map[string]any{"init_data": initData().Encode(), "auth_data": fields})
	if v := at(t, token, 1700000000, both); v.Outcome != channel.Rejected {
		t.Error("two at once were accepted")
	}
}

func TestMiniAppsAreReadStrictly(t *testing.T) {
	resigned := func(changes url.Values) url.Values {
		all, fields := initData(), map[string]string{}
		maps.Copy(all, changes)
		for name, values := range all {
			fields[name] = values[0]
		}
		all.Set("hash", sign(appKey(token), fields))
		return all
	}
	for name, values := range map[string]url.Values{
		"no user": {"user": {""}}, "a bot": {"user": {`{"id":42,"is_bot":true}`}}, "an odd id": {"user": {`{"id":"x"}`}}, "no id": {"user": {`{}`}},
		"half an id": {"user": {`{"id":4.5}`}}, "a list": {"user": {`[]`}}, "no date": {"auth_date": {""}},
	} {
		if v := at(t, token, 1700000000, app(t, resigned(values))); v.Outcome != channel.Rejected {
			t.Errorf("%s: %s", name, v.Outcome)
		}
	}
	if v := at(t, token, 1700000000, app(t, resigned(nil))); v.Outcome != channel.Verified {
		t.Fatalf("signed anew: %s (%s)", v.Outcome, v.Reason)
	}
	if v := at(t, token, 1700000000, app(t, resigned(url.Values{"signature": {"x"}}))); v.Outcome != channel.Verified {
		t.Errorf("with a signature that is signed along: %s (%s)", v.Outcome, v.Reason)
	}
	later := initData()
	later.Set("signature", "x")
	if v := at(t, token, 1700000000, app(t, later)); v.Outcome != channel.Verified {
		t.Errorf("with a signature that is not: %s (%s)", v.Outcome, v.Reason)
	}
	later.Set("start_param", "x")
	if v := at(t, token, 1700000000, app(t, later)); v.Outcome != channel.Rejected {
		t.Errorf("with a field that is not: %s (%s)", v.Outcome, v.Reason)
	}
	doubled := initData()
	doubled.Add("user", `{"id":43}`)
	if v := at(t, token, 1700000000, app(t, doubled)); v.Outcome != channel.Rejected {
		t.Error("two users were accepted")
	}
}

func TestWhatWasChangedIsRefused(t *testing.T) { // S-106, A-074
	now := time.Unix(1700000000, 0)
	for name := range handed(now, nil) {
		changed, dropped := handed(now, nil), handed(now, nil)
		changed[name] += "0"
		delete(dropped, name)
		for what, fields := range map[string]map[string]string{"changed": changed, "dropped": dropped} {
			if v := at(t, token, now.Unix(), encode(t, fields)); v.Outcome != channel.Rejected || v.Reason != channel.Mismatch {
				t.Errorf("%s %s: %s (%s)", what, name, v.Outcome, v.Reason)
			}
		}
	}
	added, empty, other := handed(now, nil), handed(now, nil), handed(now, nil)
	added["email"] = "evil@example.com"
	empty["hash"] = ""
	other["hash"] = sign(widgetKey("987654321:TEST-TOKEN-NOT-A-REAL-SECRET-0000002"), other)
	for what, fields := range map[string]map[string]string{"a field more": added, "an empty hash": empty, "another bot's": other} {
		if v := at(t, token, now.Unix(), encode(t, fields)); v.Outcome != channel.Rejected {
			t.Errorf("%s: %s", what, v.Outcome)
		}
	}
}

func TestOddValuesAreRefusedHoweverTheyAreSigned(t *testing.T) { // S-106
	now := time.Unix(1700000000, 0)
	for name, changes := range map[string]map[string]string{
		"a date in words": {"auth_date": "abc"}, "a date with a sign": {"auth_date": "+1700000000"}, "a date of all ages": {"auth_date": strings.Repeat("9", 30)},
		"a negative id": {"id": "-42"}, "an id in words": {"id": "x"}, "a zero": {"id": "0"}, "a leading zero": {"id": "042"}, "an empty id": {"id": ""},
		"a line break": {"first_name": "Ada\nid=1"}, "an odd name": {"Id": "1"},
	} {
		if v := at(t, token, now.Unix(), encode(t, handed(now, changes))); v.Outcome != channel.Rejected || v.Reason != channel.Mismatch {
			t.Errorf("%s: %s (%s)", name, v.Outcome, v.Reason)
		}
	}
	for _, data := range []string{
		`{"auth_data":"x"}`, `{"auth_data":null}`, `{"auth_data":[]}`, `{"init_data":{}}`, `{"init_data":"%zz"}`, `{"init_data":null}`,
		`{"id":{},"auth_date":[],"hash":"00"}`, `{"id":4.2e1,"hash":"00"}`, `{"id":true,"hash":"00"}`, `{"id":null,"hash":null}`, `"x"`, ``,
		`{"hash":"` + strings.Repeat("0", 9000) + `"}`, `{"hash":"` + strings.Repeat("g", 64) + `"}`,
	} {
		if v := at(t, token, now.Unix(), json.RawMessage(data)); v.Outcome != channel.Rejected {
			t.Errorf("%.80s: %s", data, v.Outcome)
		}
	}
}

func TestFieldsCannotBeCutElsewhere(t *testing.T) {
	now := time.Unix(1700000000, 0)
	fields := handed(now, nil)
	cut := map[string]string{
		"auth_date": fields["auth_date"] + "\nfirst_name=" + fields["first_name"], "id": fields["id"],
		"last_name": fields["last_name"], "username": fields["username"], "hash": fields["hash"],
	}
	if sign(widgetKey(token), cut) != fields["hash"] {
		t.Fatal("this test cuts wrongly")
	}
	if v := at(t, token, now.Unix(), encode(t, cut)); v.Outcome != channel.Rejected {
		t.Errorf("%s", v.Outcome)
	}
}

func TestWhatIsOldIsRefused(t *testing.T) { // S-107, A-074
	for age, want := range map[int64]channel.Reason{
		0: "", 299: "", 300: "", 301: channel.Expired, 86400: channel.Expired, -30: "", -31: channel.Mismatch, -3600: channel.Mismatch,
	} {
		const now = 1700000000
		v := at(t, token, now, encode(t, handed(time.Unix(now-age, 0), nil)))
		if v.Reason != want || (want == "") != (v.Outcome == channel.Verified) {
			t.Errorf("%d seconds old: %s (%s)", age, v.Outcome, v.Reason)
		}
	}
}

func TestEitherCaseIsTheSameHash(t *testing.T) { // or it would be accepted twice
	now := time.Unix(1700000000, 0)
	lower, upper := handed(now, nil), handed(now, nil)
	upper["hash"] = strings.ToUpper(upper["hash"])
	a, b := at(t, token, now.Unix(), encode(t, lower)), at(t, token, now.Unix(), encode(t, upper))
	if a.Outcome != channel.Verified || b.Outcome != channel.Verified || a.OnceKey != b.OnceKey {
		t.Errorf("%q, %q", a.OnceKey, b.OnceKey)
	}
}

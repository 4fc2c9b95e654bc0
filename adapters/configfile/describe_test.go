package configfile_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/configfile"
)

type gate struct {
	Wait time.Duration       `json:"wait" min:"1s" doc:"How long."`
	Kind string              `json:"kind" enum:"loud,quiet"`
	Key  string              `json:"key" secret:"file"`
	To   []string            `json:"to"`
	Tags map[string]int      `json:"tags"`
	In   struct{ Deep int8 } `json:"in"`
	Many []struct{ X bool }  `json:"many"`
	Self map[string]*gate    `json:"self"`
}

func TestKeysAreDescribedInOrder(t *testing.T) {
	keys, err := configfile.Describe(gate{Wait: 90 * time.Second, Key: "hush", To: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%+v", keys)
	want := "[{Path:wait Type:duration Default:1m30s Enum:[] Min:1s Max: Secret:false Doc:How long.}" +
		" {Path:kind Type:text Default: Enum:[loud quiet] Min: Max: Secret:false Doc:}" +
		" {Path:key Type:text Default: Enum:[] Min: Max: Secret:true Doc:}" +
		" {Path:to Type:list of text Default:[a, b] Enum:[] Min: Max: Secret:false Doc:}" +
		" {Path:tags Type:table of whole number Default: Enum:[] Min: Max: Secret:false Doc:}" +
		" {Path:in.deep Type:whole number Default: Enum:[] Min: Max: Secret:false Doc:}" +
		" {Path:many[].x Type:true or false Default: Enum:[] Min: Max: Secret:false Doc:}]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestOnlyStructsAreDescribed(t *testing.T) {
	if _, err := configfile.Describe(7); err == nil {
		t.Error("a number was described")
	}
}

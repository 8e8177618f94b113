package main_test

import (
	"fmt"
	"net/http"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/artifactctl/artifactctl/plugins/signer/sigstoretuf/tuftest"
)

type tufKey struct{}

// tufCommand is `tuf serve`, which serves a TUF repository of a Sigstore at $TUF and writes its root to tuf_root.json;
// `tuf requests N`, which wants that many since the last time; `tuf answer STATUS`, which answers everything so, or
// nothing with the status 0; and `tuf hang`, which does not answer.
func tufCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: tuf serve|requests|answer|hang")
	}
	values, _ := ts.Value(tufKey{}).(map[string]*tuftest.Repository)
	if args[0] == "serve" {
		targets, err := tuftest.Sigstore("https://fulcio.example.com")
		ts.Check(err)
		r, err := tuftest.New(targets)
		ts.Check(err)
		ts.Defer(r.Close)
		ts.Setenv("TUF", r.URL)
		ts.Check(os.WriteFile(ts.MkAbs("tuf_root.json"), r.Root, 0o644))
		ts.Check(os.WriteFile(ts.MkAbs("told_root.json"), targets[tuftest.TrustedRoot], 0o644))
		values["served"] = r
		return
	}
	r := values["served"]
	switch args[0] {
	case "requests":
		if n := r.Requests.Swap(0); fmt.Sprint(n) != args[1] {
			ts.Fatalf("the TUF repository got %d requests, want %s", n, args[1])
		}
	case "answer":
		var status int
		_, err := fmt.Sscan(args[1], &status)
		ts.Check(err)
		r.AnswerAll(status)
	case "hang":
		r.Answer(func(_ http.ResponseWriter, q *http.Request) bool { <-q.Context().Done(); return true })
	default:
		ts.Fatalf("unknown: tuf %s", args[0])
	}
}

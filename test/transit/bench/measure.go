package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
	"github.com/artifactctl/artifactctl/test/transit"
)

// Ways to sign.
const (
	oneByOne = "one by one"
	together = "together"
)

// row is what one run cost.
type row struct {
	name       string
	away       time.Duration
	signatures int
	requests   int
	wall       time.Duration
}

type bench struct {
	vault      *vault
	product    string
	dir        string
	signatures int
}

// vault is a server with a key "artifacts" that can be moved away.
type vault struct {
	http  *httptest.Server
	away  atomic.Int64 // nanoseconds that each request takes on its way
	signs atomic.Int64
}

func serve(ctx context.Context, keyType string) (*vault, error) {
	s, err := transit.New(ctx, "transit", "")
	if err != nil {
		return nil, err
	}
	v := &vault{}
	v.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Duration(v.away.Load()))
		if isSign(r.URL.Path) {
			v.signs.Add(1)
		}
		s.ServeHTTP(w, r)
	}))
	return v, v.makeKey(ctx, keyType)
}

func (v *vault) makeKey(ctx context.Context, keyType string) error {
	body := strings.NewReader(fmt.Sprintf(`{"type": %q}`, keyType))
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, v.http.URL+"/v1/transit/keys/artifacts", body)
	if err != nil {
		return err
	}
	r.Header.Set("X-Vault-Token", transit.RootToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("make a key of type %s: %s", keyType, answer.Status)
	}
	return nil
}

func (v *vault) env() []string {
	return []string{"VAULT_ADDR=" + v.http.URL, "VAULT_TOKEN=" + transit.RootToken}
}

// sign starts the plugin and has it make all signatures, as many at a time as concurrent says.
func (b *bench) sign(ctx context.Context, name string, concurrent int, away time.Duration) (row, error) {
	p, err := rpc.Start(ctx, rpc.StartOptions{Name: "vault", Path: b.signer(), Env: b.vault.env()})
	if err != nil {
		return row{}, err
	}
	defer func() { _ = p.Close() }()
	if _, err := p.Open(ctx, map[string]any{"key": "artifacts"}); err != nil {
		return row{}, err
	}
	b.vault.away.Store(int64(away))
	before, start := b.vault.signs.Load(), time.Now()
	if err := b.each(concurrent, func(i int) error {
		_, err := p.Sign(ctx, signertest.Request(signer.PayloadInToto, i))
		return err
	}); err != nil {
		return row{}, err
	}
	return row{name, away, b.signatures, int(b.vault.signs.Load() - before), time.Since(start)}, nil
}

func (b *bench) each(concurrent int, work func(i int) error) error {
	failures := make([]error, b.signatures)
	slots := make(chan struct{}, concurrent)
	var all sync.WaitGroup
	for i := range b.signatures {
		slots <- struct{}{}
		all.Go(func() {
			failures[i] = work(i)
			<-slots
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

// signers is the part of publish.yaml that says who signs.
const signers = `signer: vault
signers:
  vault:
    plugin: signer-vault
    env: [VAULT_ADDR, VAULT_TOKEN]
    with: {key: artifacts}
`

// publish has artifactctl publish a fleet to a registry in this process. The requests are those of the whole run, with
// the probe; so is the time.
func (b *bench) publish(ctx context.Context, apps int, away time.Duration) (row, error) {
	fleet, err := b.fleet(ctx, apps, away)
	if err != nil {
		return row{}, err
	}
	r, err := peers.Serve(ctx, peers.ReferrersKind)
	if err != nil {
		return row{}, err
	}
	defer r.Close()
	b.vault.away.Store(int64(away))
	cmd := exec.CommandContext(ctx, filepath.Join(b.product, "artifactctl"), "publish")
	cmd.Dir = fleet.Dir
	cmd.Env = append(append(fleet.Env("oci://"+r.Host+"/org"), b.vault.env()...), "PATH="+os.Getenv("PATH"), "HOME="+b.dir)
	before, start := b.vault.signs.Load(), time.Now()
	if output, err := cmd.CombinedOutput(); err != nil {
		return row{}, fmt.Errorf("artifactctl publish: %w\n%s", err, output)
	}
	return row{"artifactctl publish", away, apps, int(b.vault.signs.Load() - before), time.Since(start)}, nil
}

func (b *bench) fleet(ctx context.Context, apps int, away time.Duration) (*fixture.Fleet, error) {
	// One of the apps is the directory that is published as it stands.
	dir := filepath.Join(b.dir, "fleet-"+away.String())
	fleet, err := fixture.WriteFleet(ctx, dir, fixture.Options{Apps: apps - 1})
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, fixture.File))
	if err != nil {
		return nil, err
	}
	head, _, _ := strings.Cut(string(text), "signer: file\n")
	if err := fleet.Write(fixture.File, head+signers); err != nil {
		return nil, err
	}
	return fleet, fleet.Commit(ctx, "sign with Vault")
}

func machine() string {
	return fmt.Sprintf("%s %s/%s, %d processors, which the server shares.", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/finding"
	"github.com/artifactctl/artifactctl/internal/render/cache"
)

// Options of a Runner.
type Options struct {
	Gates []Gate
	// Dir is the absolute directory that schema locations are relative to.
	Dir string
	// File is where people find what is about no single app: publish.yaml, relative to the repository, with slashes.
	File string
	// Cache keeps results, and schemas that were fetched. It stays the caller's to close; nil means that nothing is kept.
	Cache *cache.Cache
	// Concurrency is how many gates judge at a time; 0 means the number of processors.
	Concurrency int
	// Client fetches schemas; nil means one with the usual proxies and 30 seconds for each request.
	Client *http.Client
}

// Runner runs gates. It is safe for concurrent use.
type Runner struct {
	options Options
	gates   []checked
	fetch   fetcher
}

// checked is a gate whose options are good.
type checked struct {
	Gate
	conform *conform
}

// New checks the options of all gates. The error names every gate that is wrong.
func New(o Options) (*Runner, error) {
	r := &Runner{options: o, fetch: fetcher{client: o.Client, timeout: fetchTimeout, retries: fetchRetries, pause: fetchPause}}
	if r.options.Concurrency <= 0 {
		r.options.Concurrency = runtime.GOMAXPROCS(0)
	}
	var errs []error
	names := map[string]bool{}
	for _, g := range o.Gates {
		c, err := check(g)
		if err == nil && names[g.Name] {
			err = errors.New("there are two gates of this name")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("gate %s: %w", g.Name, err))
		}
		names[g.Name] = true
		r.gates = append(r.gates, c)
	}
	return r, errors.Join(errs...)
}

func check(g Gate) (checked, error) {
	c := checked{Gate: g}
	c.Severity = cmp.Or(g.Severity, finding.Error)
	if g.Name == "" {
		return c, errors.New("it has no name")
	}
	if c.Severity != finding.Error && c.Severity != finding.Warning {
		return c, fmt.Errorf("unknown severity %q", g.Severity)
	}
	if (g.Kubeconform == nil) == (g.Run == nil) {
		return c, errors.New("it needs either kubeconform or a command")
	}
	if g.Run != nil {
		return c, g.Run.validate()
	}
	var err error
	c.conform, err = newConform(*g.Kubeconform)
	return c, err
}

func (c checked) fleet() bool { return c.Run != nil && c.Run.scope() == PerFleet }

func (c checked) looksAt(app App) bool {
	return !app.Background && (c.Apps == nil || slices.Contains(c.Apps, app.Name))
}

// load returns the files of an app. Files with another content than was announced are an error.
func (a App) load(ctx context.Context) (artifact.Files, error) {
	files, err := a.Files(ctx)
	if err != nil {
		return nil, fmt.Errorf("files of %s: %w", a.Name, err)
	}
	if got := artifact.ContentDigest(files); got != a.Content {
		return nil, fmt.Errorf("files of %s: they are %s, and should be %s: %w", a.Name, got, a.Content, artifact.ErrMismatch)
	}
	return files, nil
}

// Check has every gate look at all of its apps. No gate stops another: what goes wrong in one is its finding. The error
// is for what concerns the whole run: a context that is done, files that cannot be had. tell is called with each result
// as it comes, one at a time; it may be nil.
func (r *Runner) Check(ctx context.Context, apps []App, tell func(finding.Result)) (*finding.Report, error) {
	scratch, err := os.MkdirTemp("", "artifactctl-gates-")
	if err != nil {
		return nil, fmt.Errorf("run gates: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	c := &session{
		Runner: r, tell: tell, scratch: scratch, memory: newMemory(r.options.Cache), apps: apps, report: &finding.Report{},
		slots:  make(chan struct{}, r.options.Concurrency),
		judges: &judges{scratch: scratch, known: map[string]func() (*judge, error){}},
		schemas: &schemas{dir: r.options.Dir, fetch: r.fetch, cache: r.options.Cache,
			fleet: map[string][]crd{}, known: map[string]func() source{}},
	}
	c.lay()
	if err := c.define(ctx); err != nil {
		return nil, err
	}
	c.identities = c.identifyAll()
	if err := c.all(ctx); err != nil {
		return nil, err
	}
	c.store()
	return c.report, nil
}

// session is one call of Check.
type session struct {
	*Runner
	tell       func(finding.Result)
	scratch    string
	memory     *memory
	schemas    *schemas
	judges     *judges
	apps       []App
	report     *finding.Report
	byApp      [][]int    // by app: gates that look at it, and in the same order
	slotsOf    [][]int    // the indices of their results
	fleetSlots []int      // by gate: index of its result, -1 when it looks at apps one by one, or at none
	identities []identity // by gate
	slots      chan struct{}

	mu      sync.Mutex
	pending []pending
}

// pending is a result to be kept once it is clear that its judge is still the same.
type pending struct {
	gate     int
	question question
	findings []finding.Finding
	cost     time.Duration
}

// lay gives every result its place.
func (s *session) lay() {
	s.byApp, s.slotsOf = make([][]int, len(s.apps)), make([][]int, len(s.apps))
	for i, app := range s.apps {
		for g, gate := range s.gates {
			if !gate.fleet() && gate.looksAt(app) {
				s.byApp[i], s.slotsOf[i] = append(s.byApp[i], g), append(s.slotsOf[i], len(s.report.Results))
				s.report.Results = append(s.report.Results, finding.Result{Gate: gate.Name, App: app.Name})
			}
		}
	}
	s.fleetSlots = make([]int, len(s.gates))
	for g, gate := range s.gates {
		s.fleetSlots[g] = -1
		var names []string
		for _, app := range s.apps {
			if gate.looksAt(app) {
				names = append(names, app.Name)
			}
		}
		if gate.fleet() && len(names) > 0 {
			s.fleetSlots[g] = len(s.report.Results)
			s.report.Results = append(s.report.Results, finding.Result{Gate: gate.Name, Apps: names})
		}
	}
}

// define collects the kinds that the fleet defines, if a gate wants them.
func (s *session) define(ctx context.Context) error {
	if !slices.ContainsFunc(s.gates, func(c checked) bool { return c.conform != nil && c.conform.fleetCRDs }) {
		return nil
	}
	defined := make([][]crd, len(s.apps))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.options.Concurrency)
	for i, app := range s.apps {
		g.Go(func() (err error) {
			defined[i], err = s.memory.definitions(ctx, app)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, app := range s.apps {
		s.schemas.fleet[app.Name] = defined[i]
		if len(defined[i]) > 0 {
			s.schemas.order = append(s.schemas.order, app.Name)
		}
	}
	return nil
}

// all runs everything. An error ends the run.
func (s *session) all(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.options.Concurrency)
	for i := range s.apps {
		if len(s.byApp[i]) > 0 {
			g.Go(func() error { return s.app(ctx, i) })
		}
	}
	for n, slot := range s.fleetSlots {
		if slot >= 0 {
			g.Go(func() error { return s.fleet(ctx, n, slot) })
		}
	}
	return g.Wait()
}

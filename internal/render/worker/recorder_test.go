package worker

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/artifactctl/artifactctl/internal/render/inputs"
)

// What a worker records and what a snapshot compares with it are two implementations of one question.
func TestRecordsHoldWhileNothingChanges(t *testing.T) {
	names := []string{"a", "b", "a/a", "a/b", "b/a", "a/a/a", "b/b/a"}
	targets := []string{"a", "b", "../a", "../b", "a/b", "../../a", ".", "..", "b/../a"}
	known := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		root := filepath.Join(t.TempDir(), "root")
		for _, name := range names {
			path := filepath.Join(root, name)
			switch r.IntN(5) {
			case 0, 1:
				_ = os.MkdirAll(path, 0o777)
			case 2:
				_ = os.WriteFile(path, []byte(name), 0o666)
			case 3:
				if err := os.Symlink(targets[r.IntN(len(targets))], path); os.IsPermission(err) {
					t.Skip("no symbolic links here")
				}
			}
		}
		_ = os.MkdirAll(root, 0o777)
		j, err := newJail(root, root)
		if err != nil {
			t.Fatal(err)
		}
		j.disguise()
		snapshot, err := inputs.NewSnapshot(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(names, "b/b/b", "a/b/a/b", "a/b/b") {
			rec := newRecorder(j)
			dir, file, err := rec.CleanedAbs(filepath.Join(root+aliasMark, name))
			if err == nil && file != "" {
				_, _ = rec.ReadFile(dir.Join(file))
			}
			record := rec.inputs()
			if rec.lost { // out of the root, or a loop
				continue
			}
			if _, err := snapshot.Set(record); err != nil {
				continue // nothing there, by a way that leads out: it never holds, which is safe
			}
			known++
			decoded, err := inputs.Decode(inputs.Encode(record))
			if err != nil || len(decoded) != 1 || !snapshot.Holds(decoded) {
				t.Errorf("seed %d, %s: %+v does not hold (%v)", seed, name, record, err)
			}
		}
		j.Close()
	}
	if known < 1000 {
		t.Errorf("only %d answers", known)
	}
}

func TestRecorderLosesWhatItCannotTell(t *testing.T) {
	r := app(t, "x")
	const mark = aliasMark
	for name, do := range map[string]func(rec *recorder){
		"real path":    func(rec *recorder) { _, _, _ = rec.CleanedAbs(filepath.Join(r.Dir, "a.yaml")) },
		"outside":      func(rec *recorder) { _, _, _ = rec.CleanedAbs(filepath.Dir(r.Root)) },
		"not resolved": func(rec *recorder) { _, _ = rec.ReadFile(filepath.Join(r.Root+mark, "app", "a.yaml")) },
		"changes": func(rec *recorder) {
			file := filepath.Join(r.Root+mark, "app", "b.yaml")
			_, _, _ = rec.CleanedAbs(file)
			if err := os.WriteFile(filepath.Join(r.Dir, "b.yaml"), nil, 0o666); err != nil {
				t.Error(err)
			}
			_, _, _ = rec.CleanedAbs(file)
		},
		"content changes": func(rec *recorder) {
			dir, file, _ := rec.CleanedAbs(filepath.Join(r.Root+mark, "app", "a.yaml"))
			for _, text := range []string{"x", "y"} {
				if err := os.WriteFile(filepath.Join(r.Dir, "a.yaml"), []byte(text), 0o666); err != nil {
					t.Error(err)
				}
				_, _ = rec.ReadFile(dir.Join(file))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			j, err := newJail(r.Dir, r.Root)
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			j.disguise()
			rec := newRecorder(j)
			if dir, _, err := rec.CleanedAbs("."); err != nil || dir.String() != r.Root+mark+"/app" || rec.lost {
				t.Fatalf("got %s, %v", dir, err)
			}
			if do(rec); rec.inputs() != nil {
				t.Errorf("got %+v", rec.inputs())
			}
		})
	}
}

package inputs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// Snapshot answers questions about the files below one root. It resolves each directory and hashes each file once, so
// it shows a tree that others write to as it was when it was first looked at: make a new one for each run. It is safe
// for concurrent use.
type Snapshot struct {
	root    string // resolved
	buffers sync.Pool

	mu          sync.Mutex
	directories map[string]answer // by path: what lies there, for the parents of paths that were asked for
	sums        map[string]Sum    // by resolved path
}

// answer is what lies at a path.
type answer struct {
	kind    Kind
	target  string
	regular bool // a file that has content
}

// NewSnapshot returns a snapshot of the tree below root, an absolute path.
func NewSnapshot(root string) (*Snapshot, error) {
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fmt.Errorf("open root: %w", err)
	}
	s := &Snapshot{root: resolved, directories: map[string]answer{}, sums: map[string]Sum{}}
	s.directories["."] = answer{kind: Directory, target: "."}
	s.buffers.New = func() any { return new([64 << 10]byte) }
	return s, nil
}

// Holds tells whether every question of record has its recorded answer still.
func (s *Snapshot) Holds(record []Input) bool {
	for _, in := range record {
		if !s.holds(in) {
			return false
		}
	}
	return true
}

func (s *Snapshot) holds(in Input) bool {
	if in.Kind == Unknown || !filepath.IsLocal(filepath.FromSlash(in.Path)) {
		return false
	}
	found := s.resolve(in.Path)
	if found.kind != in.Kind || found.target != in.Target {
		return false
	}
	if !in.Read {
		return true
	}
	if !found.regular {
		return false
	}
	sum, err := s.sum(in.Target)
	return err == nil && sum == in.Sum
}

// resolve says what is at a path. It gives the answers of filepath.EvalSymlinks, with the work on parents done once.
func (s *Snapshot) resolve(p string) answer {
	if p == "." {
		return answer{kind: Directory, target: "."}
	}
	parent := s.directory(path.Dir(p))
	switch parent.kind {
	case Directory:
	case File:
		return answer{kind: NotDirectory}
	default:
		return answer{kind: parent.kind}
	}
	target := path.Join(parent.target, path.Base(p))
	full := s.full(target)
	info, err := os.Lstat(full)
	if err != nil {
		return answer{kind: KindOf(err)}
	}
	if info.Mode()&fs.ModeSymlink != 0 || runtime.GOOS == "windows" { // there, names have short forms and any case
		if target, info, err = s.follow(full); err != nil {
			return answer{kind: KindOf(err)}
		}
	}
	if info.IsDir() {
		return answer{kind: Directory, target: target}
	}
	return answer{kind: File, target: target, regular: info.Mode().IsRegular()}
}

// directory resolves a path that others are below.
func (s *Snapshot) directory(p string) answer {
	s.mu.Lock()
	found, ok := s.directories[p]
	s.mu.Unlock()
	if ok {
		return found
	}
	found = s.resolve(p)
	found.target = strings.Clone(found.target) // else it would keep a whole record in memory
	s.mu.Lock()
	defer s.mu.Unlock()
	s.directories[strings.Clone(p)] = found
	return found
}

var errOutside = errors.New("leads out of the root")

// follow resolves a path that is a link itself.
func (s *Snapshot) follow(full string) (target string, info fs.FileInfo, err error) {
	resolved, err := filepath.EvalSymlinks(full)
	if err != nil {
		return "", nil, err
	}
	target, err = filepath.Rel(s.root, resolved)
	if err != nil || !filepath.IsLocal(target) {
		return "", nil, errOutside
	}
	info, err = os.Stat(resolved)
	return filepath.ToSlash(target), info, err
}

func (s *Snapshot) full(target string) string {
	if target == "." {
		return s.root
	}
	return strings.TrimSuffix(s.root, string(filepath.Separator)) + string(filepath.Separator) + filepath.FromSlash(target)
}

// sum hashes a file.
func (s *Snapshot) sum(target string) (Sum, error) {
	s.mu.Lock()
	sum, ok := s.sums[target]
	s.mu.Unlock()
	if ok {
		return sum, nil
	}
	// A regular file never makes anybody wait. Saying so saves what os.Open does to find out: five system calls.
	f, err := os.OpenFile(s.full(target), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return Sum{}, err
	}
	defer func() { _ = f.Close() }()
	buffer := s.buffers.Get().(*[64 << 10]byte)
	defer s.buffers.Put(buffer)
	hash := sha256.New()
	if _, err := io.CopyBuffer(hash, onlyReader{f}, buffer[:]); err != nil {
		return Sum{}, err
	}
	hash.Sum(sum[:0])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sums[strings.Clone(target)] = sum
	return sum, nil
}

// onlyReader hides the other methods of a file, which would make io.CopyBuffer leave the buffer unused.
type onlyReader struct{ io.Reader }

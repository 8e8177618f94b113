package engine

// Stage is a step in the life of an app.
type Stage string

// The stages, in order. Check is the host's own verification of a signature, before it is attached and after.
const (
	StageRender  Stage = "render"
	StageGate    Stage = "gate"
	StageCompare Stage = "compare"
	StageCopy    Stage = "copy" // of a promotion
	StagePush    Stage = "push"
	StageSign    Stage = "sign"
	StageAttach  Stage = "attach"
	StageCheck   Stage = "check"
	StageAttest  Stage = "attest" // sign, check, attach and read back what is stated of an artifact
	StageTag     Stage = "tag"
	StagePrune   Stage = "prune" // of a pruning
)

// Status is how a stage goes.
type Status string

// The states of a stage.
const (
	Started Status = "started"
	Done    Status = "done"
	Failed  Status = "failed"
)

// Event tells what happened. Done and Total count apps of the run through their last stage; Note is for people.
type Event struct {
	App    string
	Stage  Stage
	Status Status
	Done   int64
	Total  int64
	Note   string
	Err    error
}

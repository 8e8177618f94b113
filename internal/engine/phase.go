package engine

// Phase is which part of a publish is done. Machines that share a fleet push each their part, and when all are through
// one of them moves the tags.
type Phase string

// The phases. The zero Phase is all of it.
const (
	PhaseAll  Phase = ""
	PhasePush Phase = "push" // push, sign, attach and read back; every tag is held
	PhaseTag  Phase = "tag"  // move tags; whatever is not pushed and signed fails
)

// requireComplete fails every app that is not pushed and signed: nothing is made up for here, because who may move tags
// need not be who may sign.
func (p *publisher) requireComplete() {
	for i, w := range p.plan.work {
		r := &p.report.Apps[i]
		if r.Failure != nil || (!w.push && len(w.missing)+len(w.attest) == 0) {
			continue
		}
		lacks := "attested"
		switch {
		case w.push:
			lacks = "pushed"
		case len(w.missing) > 0:
			lacks = "signed"
		}
		err := &StageError{App: w.app.Name, Stage: StageTag, Err: &incompleteError{r.Digest, lacks}}
		r.fail(err)
		p.run.tell(Event{App: w.app.Name, Stage: StageTag, Status: Failed, Err: err})
		p.run.finish()
	}
}

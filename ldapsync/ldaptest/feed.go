package ldaptest

type feed struct{}

func (f *feed) run(*query, *answer) error           { return nil }
func (q *query) feedControl(control) (bool, result) { return false, result{} }
func (s *Server) feedControls() []string            { return nil }

package console

// Patterns are all routes that ask for a permission.
func (s *Server) Patterns() []string {
	list := make([]string, len(s.routes))
	for i, r := range s.routes {
		list[i] = r.pattern
	}
	return list
}

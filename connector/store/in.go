package store

import "strings"

// inSizes are the lengths of the IN lists that are used, so that only a few statements are prepared.
// The driver looks for each parameter from the first one on: longer lists cost more than they save.
var inSizes = [...]int{1, 8, 64}

// marks are the lists of placeholders of inSizes.
var marks = func() map[int]string {
	m := map[int]string{}
	for _, n := range inSizes {
		m[n] = strings.Repeat(",?", n)[1:]
	}
	return m
}()

// inLists calls f with parts of args, each filled up to one of inSizes by repeating its last one, and
// the statement: q with `(*)` replaced by that many placeholders. The lead comes before; where there are several
// lists, before each.
func inLists(q string, lead, args []any, f func(q string, args []any) error) error {
	lists := strings.Count(q, "(*)")
	list := make([]any, 0, lists*(len(lead)+inSize(len(args))))
	for len(args) > 0 {
		n := inSize(len(args))
		part := args[:min(n, len(args))]
		args = args[len(part):]
		list = list[:0]
		for range lists {
			list = append(append(list, lead...), part...)
			for range n - len(part) {
				list = append(list, part[len(part)-1])
			}
		}
		if err := f(strings.ReplaceAll(q, "(*)", "("+marks[n]+")"), list); err != nil {
			return err
		}
	}
	return nil
}

// inSize is the length of the list that so many go into, or the first of them.
func inSize(n int) int {
	for _, s := range inSizes {
		if n <= s {
			return s
		}
	}
	return inSizes[len(inSizes)-1]
}

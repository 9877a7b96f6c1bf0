package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/report"
)

func (a *app) errorsCmd() *cobra.Command {
	var o outputFlag
	var lang string
	cmd := &cobra.Command{
		Use: "errors [CODE | REASON]", Short: "Explain the failure codes: when, what to tell the person, what to do",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%s takes one code, but got %d", cmd.CommandPath(), len(args))
			}
			return nil
		},
		Example: "  usherd errors\n  usherd errors 31\n  usherd errors no_seat --lang sv",
		RunE: func(_ *cobra.Command, args []string) error {
			cat, err := failure.New()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.listCodes(cat, lang, o)
			}
			d, err := explainCode(cat, args[0], lang)
			if err != nil {
				return err
			}
			if o.json() {
				return writeJSON(a.out, describeJSON(d))
			}
			return a.describe(d)
		},
	}
	addLang(cmd, &lang, "language")
	o.add(cmd, "text", "json")
	return cmd
}

// explainCode looks up a number with all its reasons, or one reason with the first number that has it.
func explainCode(cat *failure.Catalogue, word, lang string) (failure.Description, error) {
	if n, err := strconv.Atoi(word); err == nil {
		if d, ok := cat.Describe(connector.Code(n), lang); ok {
			return d, nil
		}
		return failure.Description{}, usagef("there is no code %d; see them with: usherd errors", n)
	}
	for _, c := range cat.Codes(lang) {
		d, _ := cat.Describe(c.Code, lang)
		for _, r := range d.Reasons {
			if string(r.Reason) == word {
				d.Reasons, d.Never, d.Before = []failure.ReasonText{r}, nil, nil
				return d, nil
			}
		}
	}
	return failure.Description{}, usagef("%q is no code, such as 31, and no reason; see them with: usherd errors", word)
}

func (a *app) listCodes(cat *failure.Catalogue, lang string, o outputFlag) error {
	codes := cat.Codes(lang)
	if o.json() {
		type entry struct {
			Code    connector.Code     `json:"code"`
			Title   string             `json:"title"`
			Reasons []connector.Reason `json:"reasons"`
		}
		list := make([]entry, len(codes))
		for i, c := range codes {
			list[i] = entry(c)
		}
		return writeJSON(a.out, map[string]any{"codes": list})
	}
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "Code", Right: true}, report.Column{Title: "Title", Flex: true}, report.Column{Title: "Reasons", Flex: true})
	for _, c := range codes {
		tab.Row(strconv.Itoa(int(c.Code)), c.Title, joinReasons(c.Reasons))
	}
	return tab.Flush()
}

func joinReasons(reasons []connector.Reason) string {
	words := make([]string, len(reasons))
	for i, r := range reasons {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

type reasonJSON struct {
	Reason  connector.Reason `json:"reason"`
	When    string           `json:"when,omitempty"`
	Message string           `json:"message"`
	Remedy  []string         `json:"remedy"`
}

func describeJSON(d failure.Description) any {
	out := struct {
		Code    connector.Code `json:"code"`
		Title   string         `json:"title"`
		Reasons []reasonJSON   `json:"reasons"`
		Never   []string       `json:"never_worked,omitempty"`
		Before  []string       `json:"worked_before,omitempty"`
	}{Code: d.Code, Title: d.Title, Never: d.Never, Before: d.Before}
	for _, r := range d.Reasons {
		out.Reasons = append(out.Reasons, reasonJSON(r))
	}
	return out
}

func (a *app) describe(d failure.Description) error {
	var b strings.Builder
	width := a.width()
	if width == 0 {
		width = 100
	}
	fmt.Fprintf(&b, "%s\n", d.Title)
	for _, r := range d.Reasons {
		fmt.Fprintf(&b, "\n%s\n", r.Reason)
		if r.When != "" {
			b.WriteString(wrap(r.When, width, "  ", "  "))
		}
		b.WriteString(wrap(r.Message, width, "  > ", "  > "))
		for i, step := range r.Remedy {
			b.WriteString(wrap(step, width, fmt.Sprintf("  %d. ", i+1), "     "))
		}
	}
	for _, list := range []struct {
		title string
		steps []string
	}{{d.NeverTitle, d.Never}, {d.BeforeTitle, d.Before}} {
		if len(list.steps) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", list.title)
		for i, step := range list.steps {
			b.WriteString(wrap(step, width, fmt.Sprintf("  %d. ", i+1), "     "))
		}
	}
	_, err := a.out.Write([]byte(b.String()))
	return err
}

// wrap breaks a text at blanks.
func wrap(text string, width int, first, rest string) string {
	var b strings.Builder
	line := first
	empty := true
	for word := range strings.FieldsSeq(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > width {
			b.WriteString(line + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	return b.String() + line + "\n"
}

package report

import (
	"embed"
	"fmt"
	"io/fs"
	"sync"

	"usherd/connector/failure"
)

//go:embed explain/*.json
var explainFiles embed.FS

var loadExplain = sync.OnceValues(func() (*failure.Texts, error) {
	sub, err := fs.Sub(explainFiles, "explain")
	if err != nil {
		return nil, err
	}
	return failure.LoadTexts(sub)
})

// Explain returns what words the sentences of an explanation of a user (provision.ExplainRequest.Say) in the one of
// failure.Languages that fits lang best. It fails only if the program was built with texts that are not complete.
func Explain(lang string) (say func(key string, values any) string, err error) {
	texts, err := loadExplain()
	if err != nil {
		return nil, fmt.Errorf("report: explain: %w", err)
	}
	lang = failure.Match(lang)
	return func(key string, values any) string { return texts.Text(lang, key, values) }, nil
}

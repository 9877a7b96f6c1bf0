package report

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"sync"

	"usherd/connector/failure"
	"usherd/connector/wording"
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
	return func(key string, values any) string { return texts.Text(lang, key, withTold(lang, values)) }, nil
}

// withTold is the values of a sentence, of which Error is one that was said in English.
func withTold(lang string, values any) any {
	said, ok := values.(map[string]string)
	if !ok || said["Error"] == "" {
		return values
	}
	said = maps.Clone(said)
	said["Error"] = wording.Say(lang, said["Error"])
	return said
}

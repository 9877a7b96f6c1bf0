package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the build: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func (a *app) versionCmd() *cobra.Command {
	var o outputFlag
	cmd := &cobra.Command{
		Use: "version", Short: "Show version, commit and platform", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version string `json:"version"`
				Commit  string `json:"commit,omitempty"`
				Go      string `json:"go"`
				OS      string `json:"os"`
				Arch    string `json:"arch"`
			}{version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH}
			if o.json() {
				return json.NewEncoder(a.out).Encode(v)
			}
			of := ""
			if v.Commit != "" {
				of = " of commit " + v.Commit
			}
			_, err := fmt.Fprintf(a.out, "usherd %s%s (%s, %s/%s)\n", v.Version, of, v.Go, v.OS, v.Arch)
			return err
		},
	}
	o.add(cmd, "text", "json")
	return cmd
}

func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return ""
}

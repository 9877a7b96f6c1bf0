package console

import (
	"net/http"
	"strings"

	"usherd/connector/system"
)

// diagnosticsPage lists what a bundle would hold, before it is made.
type diagnosticsPage struct {
	Files []bundleFile
	Back  string
}

// bundleFile is one file of the bundle.
type bundleFile struct{ Name, What, Size string }

// bundle is that of the organization, as far as this person sees it.
func (v *visit) bundle(p system.Program) ([]system.File, error) {
	return system.Bundle(v.r.Context(), system.BundleOptions{Sight: v.sight(), Program: p, Store: v.s.o.Store, Version: v.s.o.Version, Now: v.now})
}

func (v *visit) askDiagnostics() {
	program, ok := v.program()
	if !ok {
		return
	}
	files, err := v.bundle(program)
	if err != nil {
		v.accident("diagnostics", err)
		return
	}
	p := diagnosticsPage{Back: v.link("/system")}
	for _, f := range files {
		name, _, _ := strings.Cut(f.Name, ".")
		p.Files = append(p.Files, bundleFile{f.Name, v.t("system.bundle."+name, nil), v.printer().Sprintf("%.1f kB", float64(len(f.Text))/1000)})
	}
	v.show(http.StatusOK, "diagnostics", frame{Title: v.t("system.diagnostics", nil), Crumbs: []crumb{{v.t("nav.system", nil), v.link("/system")}}}, p)
}

func (v *visit) doDiagnostics() {
	program, ok := v.program()
	if !ok {
		return
	}
	files, err := v.bundle(program)
	if err != nil {
		v.accident("diagnostics", err)
		return
	}
	name := system.BundleName(v.id(), v.now)
	if err := v.exported("diagnostics", name); err != nil {
		v.accident("diagnostics", err)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if err := system.WriteZip(v.w, files, v.now); err != nil {
		v.logError("diagnostics", err)
		panic(http.ErrAbortHandler) // so that nobody takes the part for the whole
	}
}

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// suiteProgram stands for Kubernetes' test program: a shell that plays the script
// with the report's path in $report and what selects the last spec in $focus.
func suiteProgram(script string, runs *int) func(context.Context, ...string) (*exec.Cmd, error) {
	return func(ctx context.Context, args ...string) (*exec.Cmd, error) {
		*runs++
		var report, focus string
		for _, arg := range args {
			if path, ok := strings.CutPrefix(arg, "-ginkgo.json-report="); ok {
				report = path
			}
			if spec, ok := strings.CutPrefix(arg, "-ginkgo.focus="); ok {
				focus = spec
			}
		}
		cmd := exec.CommandContext(ctx, "sh", "-c", script)
		cmd.Env = append(os.Environ(), "report="+report, "focus="+focus)
		return cmd, nil
	}
}

// reporting is a script that reports one spec.
func reporting(spec string, state State, why string) string {
	return fmt.Sprintf(`cat > "$report" <<'END'
[{"SpecReports": [{"ContainerHierarchyTexts": ["External Storage [Driver: san-csi.io]"], "LeafNodeType": "It",
 "LeafNodeText": %q, "State": %q, "RunTime": 2000000000, "Failure": {"Message": %q}}]}]
END
`, spec, state, why)
}

func newRunner(t *testing.T, script string) (r *Runner, runs *int) {
	t.Helper()
	results, path := open(t)
	runs = new(int)
	return &Runner{
		Command: suiteProgram(script, runs), Results: results, Dir: filepath.Dir(path),
		AtOnce: 1, SpecLimit: time.Minute, Log: t.Output(),
	}, runs
}

func (r *Runner) logs(t *testing.T) []string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(r.Dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	return logs
}

func TestRunGoesOn(t *testing.T) {
	const spec = "[Testpattern: Dynamic PV (ext4)] volumes should store data"
	r, runs := newRunner(t, reporting(spec, Failed, "no disk")+"echo what happened; exit 1")
	if err := r.Run(t.Context(), []string{spec}); err != nil {
		t.Fatal(err)
	}
	if result, _ := r.Results.Of(spec); result.State != Failed || result.Why != "no disk" {
		t.Errorf("result %+v", result)
	}
	logs := r.logs(t)
	if len(logs) != 1 {
		t.Fatalf("logs %q, want that of the spec that failed", logs)
	}
	if log, err := os.ReadFile(logs[0]); err != nil || string(log) != "what happened\n" {
		t.Errorf("log %q, error %v", log, err)
	}

	r.Command = suiteProgram(reporting(spec, Passed, ""), runs)
	for range 2 {
		if err := r.Run(t.Context(), []string{spec}); err != nil {
			t.Fatal(err)
		}
	}
	if result, _ := r.Results.Of(spec); result.State != Passed || result.Seconds != 2 {
		t.Errorf("result %+v", result)
	}
	if *runs != 2 {
		t.Errorf("%d processes: one that failed, one that passed, and then there is nothing left", *runs)
	}
	if len(r.logs(t)) != 1 {
		t.Errorf("a passed spec left a log: %q", r.logs(t))
	}
}

func TestRunAsksForTheSpecsAlone(t *testing.T) {
	const spec = "[Testpattern: Dynamic PV (ext4)] volumes should store data"
	r, _ := newRunner(t, `printf %s "$focus" > "$(dirname "$report")/focus"
`+reporting(spec, Passed, ""))
	if err := r.Run(t.Context(), []string{spec}); err != nil {
		t.Fatal(err)
	}
	focus, err := os.ReadFile(filepath.Join(r.Dir, "focus"))
	if err != nil {
		t.Fatal(err)
	}
	re, err := regexp.Compile(string(focus))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{spec: true, spec + " twice": false, strings.Replace(spec, "ext4", "ext3", 1): false} {
		if got := re.MatchString("Kubernetes e2e suite " + prefix + name); got != want {
			t.Errorf("%s matches %q: %t", focus, name, got)
		}
	}
}

func TestRunOfProcessThatDies(t *testing.T) {
	r, _ := newRunner(t, "kill -9 $$")
	if err := r.Run(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if result, _ := r.Results.Of("a"); result.State != Failed || !strings.Contains(result.Why, "killed") {
		t.Errorf("result %+v", result)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	r, _ := newRunner(t, "exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	command := r.Command
	r.Command = func(ctx context.Context, args ...string) (*exec.Cmd, error) {
		cmd, err := command(ctx, args...)
		cancel()
		return cmd, err
	}
	if err := r.Run(ctx, []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	if n := r.Results.Count([]string{"a", "b"}); n[""] != 2 {
		t.Errorf("specs that were cut off have results: %v", n)
	}
}

func TestRunWithoutCluster(t *testing.T) {
	const failed = `[{"SpecReports": [{"LeafNodeType": "SynchronizedBeforeSuite", "State": "failed", "Failure": {"Message": "no nodes"}}]}]`
	r, runs := newRunner(t, `echo '`+failed+`' > "$report"; exit 1`)
	if err := r.Run(t.Context(), []string{"a", "b", "c"}); err == nil || !strings.Contains(err.Error(), "no nodes") {
		t.Errorf("error %v", err)
	}
	if *runs != 1 {
		t.Errorf("%d processes were started where the first could not begin", *runs)
	}
}

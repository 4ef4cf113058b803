package main

import (
	"os"
	"runtime"
	"strings"
)

// Machine is what the run ran on.
type Machine struct {
	CPU    string
	Cores  int
	Kernel string
	Go     string
	Load   string // averages over 1, 5 and 15 minutes at the begin
}

func machine() Machine {
	m := Machine{CPU: "CPU unknown", Cores: runtime.NumCPU(), Kernel: firstWords("/proc/sys/kernel/osrelease", 1), Go: runtime.Version(), Load: firstWords("/proc/loadavg", 3)}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}

func firstWords(file string, n int) string {
	content, _ := os.ReadFile(file)
	words := strings.Fields(string(content))
	return strings.Join(words[:min(n, len(words))], " ")
}

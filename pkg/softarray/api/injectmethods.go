package api

import (
	"cmp"
	"strings"
)

const injectionPrefix = "SanArray"

// longestDelay bounds an injected delay, milliseconds.
const longestDelay = 600_000

func injectionMethods() map[string]method {
	return map[string]method{
		injectionPrefix + "InjectFault":         query(injectFault, "method"),
		injectionPrefix + "ListInjectedFaults":  query(listInjected),
		injectionPrefix + "RemoveInjectedFault": query(removeInjected),
	}
}

// injectFault adds an injection: one call, before its effect, unless the
// parameters say otherwise.
func injectFault(c *call, i injection) (any, error) {
	if _, known := c.methods[i.Method]; !known && i.Method != every && i.Method != cloneJob || injects(i.Method) {
		return nil, failf(invalidParameter, "method %s: no method that faults can be injected into", i.Method)
	}
	if i.Cut.Value && (i.Error != "" || i.Method == cloneJob) {
		return nil, failf(invalidParameter, "cutConnection excludes errorName and the method %s", cloneJob)
	}
	if i.Error == "" && !i.Cut.Value && i.Delay == 0 {
		return nil, failf(invalidParameter, "one of errorName, cutConnection and delayMS must be given")
	}
	if i.Count == 0 {
		i.Count = 1
	}
	i.When = cmp.Or(i.When, beforeEffect)
	i.Message = cmp.Or(i.Message, i.Error)
	for _, err := range []error{
		within("count", int64(i.Count), -1, 1<<31),
		within("afterCalls", int64(i.After), 0, 1<<31),
		within("delayMS", int64(i.Delay), 0, longestDelay),
		oneOf("when", i.When, beforeEffect, afterEffect),
	} {
		if err != nil {
			return nil, err
		}
	}
	return c.injections.add(i), nil
}

// injects: the methods of injection themselves are never struck.
func injects(method string) bool {
	return strings.HasPrefix(method, injectionPrefix) && method != cloneJob
}

func listInjected(c *call, _ none) (any, error) {
	return result{"injections": c.injections.list()}, nil
}

type injectionRef struct {
	ID integer `json:"injectionID"`
}

// removeInjected takes away one injection, or all where none is named.
func removeInjected(c *call, p injectionRef) (any, error) {
	if !c.injections.remove(int64(p.ID)) {
		return nil, failf(invalidParameter, "injectionID %d does not exist", p.ID)
	}
	return result{}, nil
}

//go:build cluster

package cluster

import (
	"context"
	"os"
	"testing"
	"time"
)

// openWait bounds the opening of the cluster.
const openWait = 10 * time.Minute

func TestMain(m *testing.M) {
	Isolate()
	os.Exit(m.Run())
}

// TestCluster runs every part on one cluster of two workers. Each part has
// names of its own and deletes what it made; the last ones replace and remove
// the driver itself.
func TestCluster(t *testing.T) {
	b := open(t)
	b.remember(t, b.Lab)
	for i, part := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"data lives on", testDataLivesOn},
		{"pod moves", testPodMoves},
		{"ceiling", testCeiling},
		{"attributes class", testAttributesClass},
		{"refused class", testRefusedClass},
		{"expansion", testExpansion},
		{"raw block", testRawBlock},
		{"snapshot", testSnapshot},
		{"group snapshot", testGroupSnapshot},
		{"refused floor", testRefusedFloor},
		{"infeasible class", testInfeasibleClass},
		{"shared block", testSharedBlock},
		{"once pod", testOncePod},
		{"readers", testReaders},
		{"capacity", testCapacity},
		{"import", testImport},
		{"two arrays", testTwoArrays},
		{"examples", testExamples},
		{"array restarted", testArrayRestarted},
		{"array unreachable", testArrayUnreachable},
		{"documented commands", testDocumented},
		{"drain", testDrain},
		{"node rebooted", testNodeRebooted},
		{"credentials rotated", testCredentialsRotated},
		{"node without power", testNodePowerLost},
		{"node cut off", testNodeCutOff},
		{"leader killed", testLeaderKilled},
		{"upgrade", testUpgrade},
		{"upgrade of the previous chart", testUpgradePrevious},
		{"uninstall", testUninstall},
		{"rights", testRights},
		{"evaluation", testEvaluation},
		{"no secrets", testNoSecrets},
	} {
		start := time.Now()
		ok := t.Run(part.name, func(t *testing.T) {
			b.whole = b.ran == i
			b.ran++
			part.test(t, b)
		})
		progress("%s: passed %t, %.0f s", part.name, ok, time.Since(start).Seconds())
		if !ok {
			b.describe(t)
			b.clear(t)
		}
	}
}

func open(t *testing.T) *bench {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), openWait)
	defer cancel()
	c, err := Open(ctx, "node-a", "node-b")
	if c != nil {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), closeWait)
			defer cancel()
			if err := c.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Cluster: c, secrets: map[string]string{}}
	if err := c.collectSpans(); err != nil {
		t.Fatal(err)
	}
	if err := c.InstallDriver(ctx); err != nil {
		b.describe(t)
		t.Fatal(err)
	}
	t.Logf("cluster with the driver after %.0f s", time.Since(start).Seconds())
	return b
}

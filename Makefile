# san-csi: `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)"
BIN     := bin

.PHONY: help
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.PHONY: build
build: ## the driver and the software array, into bin/
	@echo "==> building the driver and the array"
	@mkdir -p $(BIN)
	@$(GOBUILD) -o $(BIN)/ ./cmd/san-csi ./cmd/san-array

$(BIN)/csi-sanity: go.mod go.sum
	@echo "==> building csi-sanity from its module"
	@mkdir -p $(BIN)
	@CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $@ github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity

.PHONY: demo
demo: build ## one class, one LUN, one pod's volume: the main job, in a virtual machine
	@go run ./tests/demo -bin $(BIN)

.PHONY: test
test: test-unit test-guest ## everything that every change has to pass

.PHONY: test-unit
test-unit: ## unit tests with the race detector, csi-sanity with a fake initiator
	@hack/ensure-gcc
	@echo "==> go vet"
	@go vet ./... && go vet -tags guest,bench,chaos,cluster,chart,conformance,images,observe ./tests/...
	@echo "==> unit tests with -race"
	@go test -race ./...

# The node with the kernel's iSCSI, in virtual machines. The short list is for
# every change; LIST=long is all of it, under an hour.
LIST ?= short

.PHONY: test-guest
test-guest: build $(BIN)/csi-sanity ## the driver with the kernel's iSCSI in a virtual machine, csi-sanity too: the short list (LIST=long: the whole table of faults)
	@echo "==> tests in a virtual machine, the $(LIST) list"
	@CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $(BIN)/ ./tests/failpoint
	@go test -tags guest -count=1 -timeout 90m -v $(if $(filter long,$(LIST)),,-short) ./tests/node

.PHONY: test-guest-long
test-guest-long: ## every row of the table of faults, with san-array, LIO and tgtd, and a kill at every step of the node
	@$(MAKE) --no-print-directory test-guest LIST=long

.PHONY: test-array-guest
test-array-guest: build ## kernel initiator, file systems, exerciser and fio with verify, while san-array is killed again and again
	@go test -tags guest -count=1 -timeout 15m -v ./tests/array

.PHONY: test-fence
test-fence: build ## a node is cut off with writes in flight and comes back: none of them lands on its successor's data
	@go test -tags guest -count=1 -timeout 15m -v ./tests/fence

.PHONY: test-harness
test-harness: ## the virtual machine harness's own tests
	@go test -tags guest -count=1 -timeout 20m ./tests/guest/...

.PHONY: test-chaos
test-chaos: ## kill -9 of controller and array at random, 1,000 times, under load with lost and late calls, then of the array under reordered ones: nothing leaked, doubled or lost, the budget exact (16 to 30 minutes; CHAOS="-seed N" to repeat)
	@go test -count=1 -timeout 60m -v ./tests/chaos/controller -kills 1000 -check-every 50 $(CHAOS)

.PHONY: test-chaos-node
test-chaos-node: build ## kill -9 of driver, iscsid and array at random points of a volume's life on a node, 100 times
	@go test -tags chaos -count=1 -timeout 85m -v ./tests/chaos

.PHONY: bench-array
bench-array: build ## the software array against tgtd, and how true its QoS is: tables, bin/bench/bench.json and a picture (10 minutes; BENCH=-quick to try)
	@hack/ensure-gcc
	@go run ./tests/bench -array $(BIN)/san-array -out $(BIN)/bench $(BENCH)
	@go run -C tests/bench/plot . $(abspath $(BIN))/bench/bench.json $(abspath $(BIN))/bench/noisy-neighbour.svg

.PHONY: bench-node
bench-node: build ## NodeStage against a shell script that does the same, in one virtual machine: the ratio of ten rounds
	@go test -v -tags guest,bench -count=1 -timeout 20m -run TestStageAgainstScript ./tests/node

.PHONY: bench-controller
bench-controller: build ## a create with 4,000 volumes on the array beside one with none, array calls by operation, processor time beside a bare client's, memory: a table with verdicts
	@go run ./tests/bench/controller -bin $(BIN) $(BENCH)

.PHONY: lint
lint: ## golangci-lint, built from its module
	@hack/lint

.PHONY: clean
clean: ## what was built here
	@rm -rf $(BIN)

# --- chart and kustomization ---

.PHONY: chart-readme
chart-readme: ## the chart's README.md from the comments of its values.yaml
	@go run ./tests/chart/readme

.PHONY: dashboard
dashboard: ## the chart's Grafana dashboard from the table of its panels
	@go run ./tests/observe/dashboard

.PHONY: test-observability
test-observability: build ## alerts by promtool; every query of the dashboard against a Prometheus that watched array, controller and a node fall ill; a picture in bin/observe
	@hack/ensure-prometheus
	@go test -tags observe -count=1 -timeout 15m -v ./tests/observe/...
	@go run -C tests/bench/plot ./panels $(abspath $(BIN))/observe/panels.json $(abspath $(BIN))/observe/dashboard.svg

.PHONY: deploy
deploy: ## deploy/, the kustomization, from the chart
	@go run ./tests/chart/deploy

.PHONY: lint-chart
lint-chart: ## helm lint, the chart's schema, what it renders, deploy/ and examples/; all of it shown to a real API server (builds helm and Kubernetes, once)
	@echo "==> the chart"
	@go vet -tags chart ./tests/chart/...
	@go test -tags chart -count=1 -timeout 60m ./tests/chart/...

.PHONY: images
images: ## both images for amd64 and arm64 into dist/images, by buildah, and what has to be true of them (as root)
	@hack/ensure-buildah
	@echo "==> the images"
	@go test -tags images -count=1 -timeout 60m -v ./tests/images -version=$(VERSION) -revision=$(shell git rev-parse HEAD) -out=$(CURDIR)/dist/images

# A real Kubernetes (tests/cluster). The first time it is built from its
# modules, which takes half an hour and more.

.PHONY: cluster
cluster: ## a Kubernetes with the driver installed by helm and a volume in use, up until Ctrl-C
	@go run ./tests/cluster/up

.PHONY: test-cluster
test-cluster: ## the driver on a Kubernetes of two workers: what users, upgrades and failures do to it
	@go test -tags cluster -count=1 -timeout 120m -v ./tests/cluster

.PHONY: bench-cluster
bench-cluster: ## 200 claims at once until Bound and until gone, 20 pods with a volume each until Ready; where the time goes: tables, bin/bench/cluster.md (BENCH="-claims 20" to try)
	@go run ./tests/cluster/bench -out $(BIN)/bench/cluster.md $(BENCH)

# --- conformance of the array's targets ---

.PHONY: test-conformance
test-conformance: ## libiscsi's iscsi-test-cu against san-array, over two portals
	@go test -tags conformance -count=1 -timeout 30m -v -run TestConformance ./tests/conformance

# --- Kubernetes' own storage tests ---

.PHONY: test-e2e
test-e2e: ## Kubernetes' own storage tests against the driver: those without a passed result yet (E2E="-limit 30m", "-afresh", "-at-once 1"); table: docs/e2e.md
	@go run ./tests/e2e/run $(E2E); result=$$?; go run ./tests/e2e/run -table && exit $$result

.PHONY: test-e2e-smoke
test-e2e-smoke: ## about 20 of them, in which each capability has one, always afresh (half an hour)
	@go run ./tests/e2e/run -smoke $(E2E)

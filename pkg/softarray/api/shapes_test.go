package api_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
)

// The members of each object: SDKs fail where one is missing, whether or not
// it is null, and a stray one is a misspelling.
func TestObjectsHaveTheirMembers(t *testing.T) {
	r := withVolumes(t, 2)
	r.ok("CreateVolumeAccessGroup", `{"name":"g","volumes":[1],"initiators":["iqn.2001-01.com.example:a"]}`)
	r.ok("CreateQoSPolicy", `{"name":"p","qos":{"minIOPS":2000}}`)
	r.ok("ModifyVolume", `{"volumeID":1,"qosPolicyID":1}`)
	r.ok("CreateGroupSnapshot", `{"volumes":[1,2]}`)
	r.ok("CloneVolume", `{"volumeID":1,"name":"c"}`)
	r.checkFaults()
	r.data.sessions = []iscsi.Session{{ID: 1, VolumeID: 1, InitiatorName: "iqn.2001-01.com.example:a"}}
	const (
		io = `actualIOPS averageIOPSize clientQueueDepth latencyUSec normalizedIOPS readBytes readBytesLastSample readLatencyUSec readLatencyUSecTotal
			readOps readOpsLastSample timestamp unalignedReads unalignedWrites writeBytes writeBytesLastSample writeLatencyUSec writeLatencyUSecTotal writeOps writeOpsLastSample`
		initiator = `initiatorID initiatorName alias attributes volumeAccessGroups chapUsername requireChap initiatorSecret targetSecret virtualNetworkIDs`
		snapshot  = `snapshotID volumeID volumeName name checksum status totalSize groupID groupSnapshotUUID snapshotUUID instanceSnapshotUUID createTime instanceCreateTime
			enableRemoteReplication expirationReason expirationTime remoteStatuses snapMirrorLabel virtualVolumeID attributes`
		qosObject = `minIOPS maxIOPS burstIOPS burstTime curve`
	)
	for _, c := range []struct{ method, params, path, members string }{
		{"ListVolumes", `{}`, "volumes.0", `volumeID name accountID createTime status access enable512e blockSize iqn scsiEUIDeviceID scsiNAADeviceID qos qosPolicyID volumeAccessGroups
			volumePairs deleteTime purgeTime sliceCount totalSize attributes virtualVolumeID volumeUUID volumeConsistencyGroupUUID enableSnapMirrorReplication currentProtectionScheme
			previousProtectionScheme lastAccessTime lastAccessTimeIO fifoSize minFifoSize dontMoveForIopsRebalance`},
		{"ListVolumes", `{}`, "volumes.0.qos", qosObject},
		{"GetDefaultQoS", `{}`, "", qosObject},
		{"ListQoSPolicies", `{}`, "qosPolicies.0", `qosPolicyID name qos volumeIDs`},
		{"ListAccounts", `{}`, "accounts.0", `accountID username status volumes initiatorSecret targetSecret storageContainerID enableChap attributes`},
		{"ListSnapshots", `{}`, "snapshots.0", snapshot},
		{"ListGroupSnapshots", `{}`, "groupSnapshots.0", `groupSnapshotID groupSnapshotUUID name createTime status enableRemoteReplication attributes members`},
		{"ListGroupSnapshots", `{}`, "groupSnapshots.0.members.1", snapshot},
		{"ListVolumeAccessGroups", `{}`, "volumeAccessGroups.0", `volumeAccessGroupID name initiators initiatorIDs volumes deletedVolumes attributes`},
		{"ListInitiators", `{}`, "initiators.0", initiator},
		{"GetClusterCapacity", `{}`, "clusterCapacity", `activeBlockSpace activeSessions averageIOPS clusterRecentIOSize currentIOPS maxIOPS maxOverProvisionableSpace maxProvisionedSpace
			maxUsedMetadataSpace maxUsedSpace nonZeroBlocks peakActiveSessions peakIOPS provisionedSpace snapshotNonZeroBlocks timestamp totalOps uniqueBlocks uniqueBlocksUsedSpace
			usedMetadataSpace usedMetadataSpaceInSnapshots usedSpace zeroBlocks`},
		{"GetClusterInfo", `{}`, "clusterInfo", `name uniqueID uuid mvip svip mvipNodeID svipNodeID mvipInterface svipInterface mvipVlanTag svipVlanTag ensemble repCount encryptionAtRestState
			softwareEncryptionAtRestState defaultProtectionScheme enabledProtectionSchemes supportedProtectionSchemes attributes`},
		{"GetClusterVersionInfo", `{}`, "", `clusterAPIVersion clusterVersion clusterVersionInfo softwareVersionInfo`},
		{"GetClusterVersionInfo", `{}`, "softwareVersionInfo", `currentVersion nodeID packageName pendingVersion startTime`},
		{"GetClusterFullThreshold", `{}`, "", `blockFullness metadataFullness fullness maxMetadataOverProvisionFactor sliceReserveUsedThresholdPct stage2AwareThreshold stage3LowThreshold
			stage4CriticalThreshold stage3BlockThresholdPercent stage3MetadataThresholdPercent stage2BlockThresholdBytes stage3BlockThresholdBytes stage4BlockThresholdBytes stage5BlockThresholdBytes
			stage2MetadataThresholdBytes stage3MetadataThresholdBytes stage4MetadataThresholdBytes stage5MetadataThresholdBytes sumTotalClusterBytes sumUsedClusterBytes
			sumTotalMetadataClusterBytes sumUsedMetadataClusterBytes`},
		{"GetVolumeStats", `{"volumeID":1}`, "volumeStats", io + ` accountID asyncDelay burstIOPSCredit desiredMetadataHosts metadataHosts nonZeroBlocks samplePeriodMSec throttle volumeAccessGroups
			volumeID volumeSize volumeUtilization zeroBlocks`},
		{"ListVolumeStats", `{}`, "volumeStats.0.metadataHosts", `primary liveSecondaries deadSecondaries`},
		{"GetClusterStats", `{}`, "clusterStats", io + ` clusterUtilization servicesCount servicesTotal samplePeriodMsec`},
		{"ListISCSISessions", `{}`, "sessions.0", `accountID accountName authentication createTime driveID driveIDs initiator initiatorIP initiatorName initiatorPortName initiatorSessionID
			msSinceLastIscsiPDU msSinceLastScsiCommand nodeID serviceID sessionID targetIP targetName targetPortName virtualNetworkID volumeID volumeInstance`},
		{"ListISCSISessions", `{}`, "sessions.0.authentication", `authMethod chapAlgorithm chapUsername direction`},
		{"ListISCSISessions", `{}`, "sessions.0.initiator", initiator},
		{"ListAsyncResults", `{}`, "asyncHandles.0", `asyncResultID completed success createTime lastUpdateTime resultType data`},
		{"GetAsyncResult", `{"asyncHandle":1,"keepResult":true}`, "", `status resultType createTime lastUpdateTime details`},
		{"ListClusterFaults", `{}`, "faults.0", `clusterFaultID code data date details driveID driveIDs nodeHardwareFaultID nodeID resolved resolvedDate serviceID severity type externalSource
			networkInterface blocksUpgrade`},
		{"ListActiveNodes", `{}`, "nodes.0", `nodeID name mip sip cip mipi sipi cipi softwareVersion role platformInfo uuid associatedMasterServiceID associatedFServiceID
			fibreChannelTargetPortGroup virtualNetworks attributes nodeSlot chassisName customProtectionDomainName maintenanceMode`},
		{"ListActiveNodes", `{}`, "nodes.0.platformInfo", `chassisType cpuModel nodeMemoryGB nodeType platformConfigVersion`},
	} {
		node, ok := dig(r.ok(c.method, c.params), c.path).(map[string]any)
		if !ok {
			t.Errorf("%s: no object at %s", c.method, c.path)
			continue
		}
		want := strings.Fields(c.members)
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(node)); !slices.Equal(got, want) {
			t.Errorf("%s %s:\n got %s\nwant %s", c.method, c.path, got, want)
		}
	}
}

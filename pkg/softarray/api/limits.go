package api

// The bounds of the array. GetLimits tells them and the methods enforce them
// by xExceededLimit.
const (
	nameMax       = 64 // of accounts, volumes, access groups and policies
	aliasMax      = 224
	iqnMax        = 224
	snapshotMax   = 255 // of names of snapshots and their groups
	mirrorMax     = 31  // of snapMirror labels
	secretMin     = 12
	secretMax     = 16
	attributesMax = 999 // bytes of JSON

	accountsMax                 = 5000
	volumesMax                  = 4000
	volumesPerAccountMax        = 2000
	volumesPerCallMax           = 500
	volumesPerListMax           = 10000
	groupsMax                   = 1000
	groupsPerInitiatorMax       = 1
	volumesPerGroupMax          = 2000
	initiatorsMax               = 10000
	policiesMax                 = 500
	snapshotsPerVolumeMax       = 32
	volumesPerSnapshotMax       = 32
	clonesPerVolumeMax          = 2
	clonesPerNodeMax            = 8
	fifoSizeDefault             = 24
	lunMax                      = 16383
	sizeStep              int64 = 1 << 20 // bytes
	sizeMin               int64 = 1_000_000_000
	sizeMax               int64 = 16 << 40

	minIOPSMin, minIOPSMax     = 50, 15_000
	maxIOPSMin, maxIOPSMax     = 100, 200_000
	burstIOPSMin, burstIOPSMax = 100, 200_000
)

func getLimits(c *call, _ none) (any, error) {
	return map[string]int64{
		"accountCountMax": accountsMax, "accountNameLengthMin": 1, "accountNameLengthMax": nameMax,
		"backupTargetNameLengthMin": 1, "backupTargetNameLengthMax": 64,
		"bulkVolumeJobsPerNodeMax": 8, "bulkVolumeJobsPerVolumeMax": 2,
		"chapCredentialsCountMax": 15000, "cloneJobsPerNodeMax": clonesPerNodeMax, "cloneJobsPerVolumeMax": clonesPerVolumeMax, "cloneJobsPerVirtualVolumeMax": 8,
		"clusterAdminAccountMax": 5000, "clusterPairsCountMax": 4,
		"initiatorAliasLengthMax": aliasMax, "initiatorCountMax": initiatorsMax, "initiatorNameLengthMax": iqnMax,
		"initiatorsPerVolumeAccessGroupCountMax": c.config.Dialect.initiatorsPerGroup(),
		"iscsiSessionsFromFibreChannelNodesMax":  4096,
		"maxAuthSessionsForCluster":              1024,
		"maxAuthSessionsPerUser":                 1024,
		"nodesPerClusterCountMin":                3,
		"nodesPerClusterCountMax":                100,
		"qosPolicyCountMax":                      policiesMax,
		"qosPolicyNameLengthMin":                 1,
		"qosPolicyNameLengthMax":                 nameMax,
		"scheduleNameLengthMax":                  244,
		"secretLengthMin":                        secretMin,
		"secretLengthMax":                        secretMax,
		"snapMirrorEndpointIPAddressesCountMax":  64,
		"snapMirrorEndpointsCountMax":            4,
		"snapMirrorLabelLengthMax":               mirrorMax,
		"snapshotNameLengthMax":                  snapshotMax,
		"snapshotsPerVolumeMax":                  snapshotsPerVolumeMax,
		"storageNodesPerClusterCountMin":         2,
		"virtualVolumeCountMax":                  8000,
		"virtualVolumesPerAccountCountMax":       10000,
		"volumeAccessGroupCountMax":              groupsMax,
		"volumeAccessGroupLunMax":                lunMax,
		"volumeAccessGroupNameLengthMin":         1,
		"volumeAccessGroupNameLengthMax":         nameMax,
		"volumeAccessGroupsPerInitiatorCountMax": groupsPerInitiatorMax,
		"volumeAccessGroupsPerVolumeCountMax":    c.config.Dialect.groupsPerVolume(),
		"volumeBurstIOPSMin":                     burstIOPSMin,
		"volumeBurstIOPSMax":                     burstIOPSMax,
		"volumeCountMax":                         volumesMax,
		"volumeMaxIOPSMin":                       maxIOPSMin,
		"volumeMaxIOPSMax":                       maxIOPSMax,
		"volumeMinIOPSMin":                       minIOPSMin,
		"volumeMinIOPSMax":                       minIOPSMax,
		"volumeNameLengthMin":                    1,
		"volumeNameLengthMax":                    nameMax,
		"volumeSizeMin":                          sizeMin,
		"volumeSizeMax":                          sizeMax,
		"volumesPerAccountCountMax":              volumesPerAccountMax,
		"volumesPerGroupSnapshotMax":             volumesPerSnapshotMax,
		"volumesPerVolumeAccessGroupCountMax":    volumesPerGroupMax,
		"witnessNodesPerClusterCountMax":         4,
	}, nil
}

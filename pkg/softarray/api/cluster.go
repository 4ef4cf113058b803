package api

// The release that the array speaks as.
const (
	currentMajor   = 12
	currentMinor   = 5
	apiVersion     = "12.5"
	clusterVersion = "12.5.0.897"
)

// There is one node.
const nodeID = 1

const protectionScheme = "singleHelix"

// supportedVersions are those that GetAPI tells; any of two parts up to the
// current one is served.
func supportedVersions() []string {
	return []string{
		"1.0", "2.0", "3.0", "4.0", "5.0", "5.1", "6.0", "7.0", "7.1", "7.2", "7.3", "7.4",
		"8.0", "8.1", "8.2", "8.3", "8.4", "8.5", "8.6", "8.7", "9.0", "9.1", "9.2", "9.3", "9.4", "9.5", "9.6",
		"10.0", "10.1", "10.2", "10.3", "10.4", "10.5", "10.6", "11.0", "11.1", "11.2", "11.3", "11.4", "11.5", "11.6", "11.7", "11.8",
		"12.0", "12.2", "12.3", apiVersion,
	}
}

func clusterMethods() map[string]method {
	return map[string]method{
		"GetAPI":                  query(getAPI),
		"GetClusterInfo":          query(getClusterInfo),
		"GetClusterVersionInfo":   query(getClusterVersion),
		"GetClusterCapacity":      query(getCapacity),
		"GetClusterFullThreshold": query(getFullThreshold),
		"GetClusterState":         query(getClusterState),
		"GetClusterStats":         query(getClusterStats),
		"GetLimits":               query(getLimits),
	}
}

func getAPI(c *call, _ none) (any, error) {
	return result{apiVersion: c.methodNames(), "currentVersion": apiVersion, "supportedVersions": supportedVersions()}, nil
}

func getClusterInfo(c *call, _ none) (any, error) {
	cluster, err := c.tx.Cluster()
	if err != nil {
		return nil, err
	}
	host := c.config.Address
	return result{"clusterInfo": result{
		"name": "san-array-" + cluster.UniqueID, "uniqueID": cluster.UniqueID, "uuid": cluster.UUID,
		"mvip": host, "mvipNodeID": nodeID, "mvipInterface": "Bond1G", "mvipVlanTag": "0",
		"svip": host, "svipNodeID": nodeID, "svipInterface": "Bond10G", "svipVlanTag": "0",
		"ensemble": []string{host}, "repCount": 1, "attributes": result{},
		"encryptionAtRestState": "disabled", "softwareEncryptionAtRestState": "disabled",
		"defaultProtectionScheme": protectionScheme, "enabledProtectionSchemes": []string{protectionScheme},
		"supportedProtectionSchemes": []string{protectionScheme},
	}}, nil
}

func getClusterVersion(*call, none) (any, error) {
	return result{
		"clusterAPIVersion": apiVersion, "clusterVersion": clusterVersion,
		"clusterVersionInfo": []result{{"nodeID": nodeID, "nodeVersion": clusterVersion, "nodeInternalRevision": ""}},
		"softwareVersionInfo": result{
			"currentVersion": clusterVersion, "pendingVersion": clusterVersion, "nodeID": 0, "packageName": "", "startTime": "",
		},
	}, nil
}

func getClusterState(c *call, _ none) (any, error) {
	cluster, err := c.tx.Cluster()
	return result{"cluster": "san-array-" + cluster.UniqueID, "state": "Active"}, err
}

// wireClusterStats spells one member otherwise than volume statistics do.
type wireClusterStats struct {
	ioStats
	ClusterUtilization float64 `json:"clusterUtilization"`
	SamplePeriodMsec   int64   `json:"samplePeriodMsec"`
	ServicesCount      int     `json:"servicesCount"`
	ServicesTotal      int     `json:"servicesTotal"`
}

func getClusterStats(c *call, _ none) (any, error) {
	io := c.ioStats(c.config.Data.Activity().Usage)
	return result{"clusterStats": wireClusterStats{
		ioStats: io, ClusterUtilization: float64(io.NormalizedIOPS) / float64(max(1, c.config.TotalIOPS)),
		SamplePeriodMsec: SamplePeriod.Milliseconds(), ServicesCount: 1, ServicesTotal: 1,
	}}, nil
}

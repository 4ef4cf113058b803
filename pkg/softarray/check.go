package softarray

import "github.com/san-csi/san-csi/pkg/softarray/store"

// Check looks a data directory over, see store.Check. No array may have it open.
func Check(dir string) (store.Report, error) { return store.Check(dir) }

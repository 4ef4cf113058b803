package api

import (
	"slices"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// resultClone is the type of all jobs there are; the others are known as filters.
const resultClone = "Clone"

func asyncMethods() map[string]method {
	return map[string]method{
		"GetAsyncResult":   change(getAsyncResult, "asyncHandle"),
		"ListAsyncResults": query(listAsyncResults),
	}
}

type asyncParams struct {
	Handle integer `json:"asyncHandle"`
	Keep   boolean `json:"keepResult"`
}

func (c *call) job(id int64) (store.Job, error) {
	j, err := c.tx.Jobs().Get(id)
	return j, missing(err, asyncHandleUnknown, "Async handle %d does not exist.", id)
}

// getAsyncResult tells of a job. One that failed is complete as well: clients
// wait for that word. Reading the end of a job takes its handle away unless the
// client keeps it.
func getAsyncResult(c *call, p asyncParams) (any, error) {
	j, err := c.job(int64(p.Handle))
	if err != nil {
		return nil, err
	}
	out := result{"status": "running", "resultType": resultClone, "createTime": at(j.Created), "lastUpdateTime": at(j.Updated)}
	if !j.Done {
		out["details"] = c.jobData(j)
		return out, nil
	}
	out["status"] = "complete"
	if j.Failure != "" {
		out["error"] = c.jobData(j)
	} else {
		out["result"] = c.jobData(j)
	}
	if p.Keep.or(false) {
		return out, nil
	}
	return out, c.tx.RemoveJob(j.ID)
}

// jobData is what a job tells of itself: the volume is the one that is made or
// overwritten. An error has a name and no code.
func (c *call) jobData(j store.Job) result {
	out := result{"message": "Clone in progress."}
	switch {
	case j.Failure != "":
		out["name"], out["message"] = j.Failure, j.Message
	case j.Done:
		out["message"] = "Clone complete."
	}
	if j.Group {
		out["groupCloneID"], out["members"] = j.ID, toWirePairs(j)
		return out
	}
	out["cloneID"], out["volumeID"] = j.ID, j.Members[0].Volume
	if c.config.Dialect.CloneResultSource {
		out["volumeID"] = j.Members[0].Source
	}
	return out
}

type asyncFilter struct {
	Types []string `json:"asyncResultTypes"`
}

type wireHandle struct {
	ID             int64  `json:"asyncResultID"`
	Completed      bool   `json:"completed"`
	Success        bool   `json:"success"`
	CreateTime     string `json:"createTime"`
	LastUpdateTime string `json:"lastUpdateTime"`
	ResultType     string `json:"resultType"`
	Data           result `json:"data"`
}

func listAsyncResults(c *call, p asyncFilter) (any, error) {
	for _, t := range p.Types {
		if err := oneOf("asyncResultTypes", t, resultClone, "DriveAdd", "BulkVolume", "DriveRemoval", "RtfiPendingNode"); err != nil {
			return nil, err
		}
	}
	handles := []wireHandle{}
	if len(p.Types) > 0 && !slices.Contains(p.Types, resultClone) {
		return result{"asyncHandles": handles}, nil
	}
	for j, err := range c.tx.Jobs().From(0) {
		if err != nil {
			return nil, err
		}
		handles = append(handles, wireHandle{
			ID: j.ID, Completed: j.Done, Success: j.Done && j.Failure == "",
			CreateTime: at(j.Created), LastUpdateTime: at(j.Updated), ResultType: resultClone, Data: c.jobData(j),
		})
	}
	return result{"asyncHandles": handles}, nil
}

type cancelParams struct {
	CloneID integer `json:"cloneID"`
	GroupID integer `json:"groupCloneID"`
}

func cancelClone(c *call, p cancelParams) (any, error) {
	return result{}, c.cancel("cloneID", int64(p.CloneID), false)
}

func cancelGroupClone(c *call, p cancelParams) (any, error) {
	return result{}, c.cancel("groupCloneID", int64(p.GroupID), true)
}

// cancel ends a job that is under way: its clones are gone, a volume that it
// would overwrite keeps its content, and the handle exists no longer.
func (c *call) cancel(field string, id int64, group bool) error {
	j, err := c.tx.Jobs().Get(id)
	if err := missing(err, invalidParameter, "%s %d does not exist", field, id); err != nil {
		return err
	}
	if j.Done || j.Group != group {
		return failf(invalidParameter, "%s %d does not exist or has ended", field, id)
	}
	if err := c.undoJob(j); err != nil {
		return err
	}
	return c.tx.RemoveJob(id)
}

package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzParams: whatever the parameters are, a call is answered by a result or by
// an error that is the client's, never by a fault of the array.
func FuzzParams(f *testing.F) {
	for method, params := range map[string]string{
		"CreateVolume":            `{"name":"a","accountID":"1","totalSize":1e9,"enable512e":"true","qos":{"minIOPS":50},"attributes":{"k":[1]},"minFifoSize":0}`,
		"ModifyVolume":            `{"volumeID":1,"totalSize":9223372036854775807,"setCreateTime":true,"createTime":"2030-01-02T03:04:05Z"}`,
		"CreateSnapshot":          `{"volumeID":1,"retention":"24:00:00","expirationTime":null,"snapMirrorLabel":"x"}`,
		"CreateGroupSnapshot":     `{"volumes":[1,"2"],"expirationTime":"fifo"}`,
		"CloneVolume":             `{"volumeID":1,"name":"c","newSize":-1}`,
		"CloneMultipleVolumes":    `{"volumes":[{"volumeID":1},null]}`,
		"CreateVolumeAccessGroup": `{"name":"g","initiators":[1,"iqn.2001-01.com.example:a",null],"volumes":null}`,
		"CreateInitiators":        `{"initiators":[{"name":"iqn.2001-01.com.example:a","initiatorSecret":{"Secret":1}}]}`,
		"ListVolumes":             `{"startVolumeID":1.5,"limit":-1}`,
		"GetAsyncResult":          `{"asyncHandle":[]}`,
		"SanArrayInjectFault":     `{"method":"SanArrayCloneJob","errorName":"x","count":-1}`,
	} {
		f.Add(method, params)
	}
	r := withVolumes(f, 2)
	f.Fuzz(func(t *testing.T, method, params string) {
		body := `{"method":` + quote(t, method) + `,"params":` + params + `}`
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/json-rpc/12.5", strings.NewReader(body))
		req.SetBasicAuth(username, password)
		w := httptest.NewRecorder()
		r.server.ServeHTTP(w, req)
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("HTTP %d, %v: %s", w.Code, err, w.Body)
		}
		if (a.Result == nil) == (a.Error == nil) || a.Error != nil && (a.Error.Code != 500 || a.Error.Name == "xInternalError") {
			t.Errorf("%s: %s", body, w.Body)
		}
	})
}

func quote(t *testing.T, text string) string {
	t.Helper()
	data, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

package guest

import (
	"slices"
	"strings"
	"testing"
)

func TestParseURIs(t *testing.T) {
	text := "'http://deb.debian.org/debian/pool/main/d/dash/dash_0.5.12-2_amd64.deb' dash_0.5.12-2_amd64.deb 91848 MD5Sum:00\n" +
		"'http://deb.debian.org/debian/pool/main/m/mount_1%3a2.deb' mount_1%3a2_amd64.deb 7 SHA256:00\n"
	got, err := parseURIs(text)
	want := []debFile{{"dash_0.5.12-2_amd64.deb", 91848}, {"mount_1%3a2_amd64.deb", 7}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for name, bad := range map[string]string{
		"nothing":     "",
		"short line":  "'http://x' x.deb\n",
		"no number":   "'http://x' x.deb big MD5Sum:00\n",
		"a complaint": "E: Unable to locate package\n",
	} {
		if got, err := parseURIs(bad); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

func TestSplitKernel(t *testing.T) {
	debs := []string{
		"/a/dash_1_amd64.deb",
		"/a/linux-image-6.1.0-1-cloud-amd64_6.1_amd64.deb",
		"/a/linux-image-cloud-amd64_6.1_amd64.deb",
	}
	kernel, others, err := splitKernel(debs)
	if err != nil || kernel != debs[1] || !slices.Equal(others, debs[:1]) {
		t.Errorf("got %s, %v, %v", kernel, others, err)
	}
	if _, _, err := splitKernel(debs[:1]); err == nil {
		t.Error("no kernel, no error")
	}
}

func TestStatusFileHasOneStanzaAPackage(t *testing.T) {
	stanzas := strings.Split(strings.TrimSpace(string(statusFile([]string{"perl", "debconf"}))), "\n\n")
	if len(stanzas) != 2 || !strings.HasPrefix(stanzas[1], "Package: debconf\nStatus: install ok installed\n") {
		t.Errorf("got %q", stanzas)
	}
}

func TestSetOptions(t *testing.T) {
	const config = "# iscsid.startup = commented\niscsid.startup = /bin/systemctl start iscsid.socket\nnode.leading_login = No\n"
	const want = "# iscsid.startup = commented\nnode.leading_login = No\niscsid.startup = /sbin/iscsid\nnode.startup = manual\n"
	got := setOptions([]byte(config), map[string]string{"node.startup": "manual", "iscsid.startup": "/sbin/iscsid"})
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestMissingPackages(t *testing.T) {
	tools := map[string]string{"depmod": "kmod", "modprobe": "kmod", "cpio": "cpio", "ip": "iproute2"}
	got := missingPackages(tools, func(tool string) bool { return tool == "ip" })
	if want := []string{"cpio", "kmod"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

package auth

import (
	"testing"
	"time"
)

func TestExpired(t *testing.T) {
	for _, test := range []struct {
		why            string
		age, unused    time.Duration
		idle, absolute time.Duration
		want           bool
	}{
		{"without limits a session lives", 1e6 * hour, 1e6 * hour, 0, 0, false},
		{"negative limits are none", 1e6 * hour, 1e6 * hour, -1, -1, false},
		{"in use", 3 * hour, hour - 1, hour, 24 * hour, false},
		{"idle", 3 * hour, hour, hour, 24 * hour, true},
		{"idle without absolute", 3 * hour, hour, hour, 0, true},
		{"too old although in use", 24 * hour, 0, hour, 24 * hour, true},
		{"almost too old", 24*hour - 1, 0, 0, 24 * hour, false},
		{"the clock jumped back", -hour, -hour, time.Minute, time.Minute, false},
		{"never used, young", hour - 1, 1e6 * hour, hour, 0, false},
		{"never used, idle since created", hour, 1e6 * hour, hour, 0, true},
	} {
		if got := Expired(epoch, epoch.Add(-test.age), epoch.Add(-test.unused), test.idle, test.absolute); got != test.want {
			t.Errorf("%s: Expired = %t", test.why, got)
		}
	}
}

package auth

import "time"

// Expired says whether a session has ended by age at now: unused for idle since
// lastSeen, or absolute after created, whoever comes first. A limit that is zero or
// negative does not exist; with both absent a session lives until it is ended.
func Expired(now, created, lastSeen time.Time, idle, absolute time.Duration) bool {
	if absolute > 0 && now.Sub(created) >= absolute {
		return true
	}
	if lastSeen.Before(created) { // never used since it was created
		lastSeen = created
	}
	return idle > 0 && now.Sub(lastSeen) >= idle
}

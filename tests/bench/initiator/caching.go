package initiator

import "fmt"

// WriteCache says whether the LUN has its write cache enabled: the WCE bit of
// the caching mode page (SBC-3 §6.4.5).
func (s *Session) WriteCache() (bool, error) {
	const page, length = 0x08, 192
	answer, err := s.Read([]byte{0x1a, 0x08, page, 0, length, 0}, length) // MODE SENSE(6), DBD
	if err != nil {
		return false, err
	}
	if len(answer) < 4 || len(answer) < 7+int(answer[3]) || answer[4+answer[3]]&0x3f != page {
		return false, fmt.Errorf("MODE SENSE answers % x", answer)
	}
	return answer[6+answer[3]]&0x04 != 0, nil
}

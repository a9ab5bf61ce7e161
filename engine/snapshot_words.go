package engine

import (
	"encoding/binary"
	"unsafe"
)

// A word is what the arrays of a snapshot consist of. In the file they are
// little-endian.
type word interface{ ~uint32 | ~uint64 }

// nativeWords tells whether words in memory are as they are in the file.
var nativeWords = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// wordsOf returns bytes as words. They share the memory when the machine's
// words are those of the file and the bytes are aligned, and both must then
// stay as they are. len(b) must be a multiple of the size of a word.
func wordsOf[T word](b []byte) []T {
	size := int(unsafe.Sizeof(T(0)))
	n := len(b) / size
	if n == 0 {
		return nil
	}
	if nativeWords && uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(size) == 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
	}
	words := make([]T, n)
	for i := range words {
		if size == 4 {
			words[i] = T(binary.LittleEndian.Uint32(b[4*i:]))
		} else {
			words[i] = T(binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
	return words
}

// bytesOf is the reverse of wordsOf.
func bytesOf[T word](words []T) []byte {
	size := int(unsafe.Sizeof(T(0)))
	if nativeWords {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), size*len(words))
	}
	b := make([]byte, 0, size*len(words))
	for _, w := range words {
		if size == 4 {
			b = binary.LittleEndian.AppendUint32(b, uint32(w))
		} else {
			b = binary.LittleEndian.AppendUint64(b, uint64(w))
		}
	}
	return b
}

// alignedBytes returns n bytes that words may be seen in.
func alignedBytes(n int) []byte {
	words := make([]uint64, n/8+1)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words))[:n:n]
}

// bytesOfText returns the bytes of a text, which nobody may change.
func bytesOfText(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

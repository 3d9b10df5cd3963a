package magento

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// drawPictures makes the pictures that the products share.
func (g *grower) drawPictures() {
	for i := range 24 {
		g.pictures = append(g.pictures, base64.StdEncoding.EncodeToString(drawing(i)))
	}
}

// drawing is a PNG of two colours, another one for each number.
func drawing(n int) []byte {
	img := image.NewPaletted(image.Rect(0, 0, 32, 32), color.Palette{
		color.RGBA{uint8(40 + n*53%200), uint8(60 + n*97%180), uint8(80 + n*31%170), 255}, color.White,
	})
	for y := range 32 {
		for x := range 32 {
			if (x*(n%5+1)+y*(n%3+1))/8%2 == 0 {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a bytes.Buffer takes everything
	return b.Bytes()
}

// entries are n pictures of a product; the first has all roles.
func (g *grower) entries(sku string, n int) []any {
	var list []any
	at := g.rand.IntN(len(g.pictures))
	for i := range n {
		roles := []string{}
		if i == 0 {
			roles = []string{"image", "small_image", "thumbnail"}
		}
		list = append(list, bag{"media_type": "image", "label": fmt.Sprintf("Picture %d", i+1), "position": i + 1, "disabled": false,
			"types": roles, "content": bag{"base64_encoded_data": g.pictures[(at+i)%len(g.pictures)],
				"type": "image/png", "name": fmt.Sprintf("%s-%d.png", sku, i+1)}})
	}
	return list
}

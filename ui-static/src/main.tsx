import "preact"; document.title;

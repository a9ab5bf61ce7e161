document.body.textContent = 'Postern';
